"""The files and objects to which the documentation refers exist; the site is not built."""

import re
import tomllib
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from images import distance

from softmax_regression import functional

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(
    page
    for page in DOCS.rglob("*.md")
    if not {"_build", "gallery", "api"} & set(page.relative_to(DOCS).parts)
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_within_the_site_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)", text) + re.findall(r'href="([^"#]+)', text)
    links += re.findall(r"^\.\. plot:: (\S+)", text, re.M)
    for link in links:
        if "://" in link:
            continue
        base = DOCS if link.startswith("explained/figures") else page.parent
        target = (base / link).resolve()
        name = target.relative_to(DOCS)
        if name.parts[0] == "gallery":
            assert name.stem == "index" or (DOCS.parent / f"examples/{name.stem}.py").exists(), link
        elif name.parts[0] == "calculator":
            assert (DOCS / "standalone" / name).exists(), link
        else:
            assert target.exists(), link


def test_each_explaining_page_has_a_picture_formulas_and_code():
    pages = [page for page in PAGES if page.parent.name == "explained" and page.stem != "index"]
    assert len(pages) == 12
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert ".. plot::" in text, page
        assert ":alt:" in text, page
        assert "$" in text or page.stem == "multilabel", page
        assert ">>>" in text, page


def test_each_public_function_is_in_the_api():
    listed = (DOCS / "api.md").read_text(encoding="utf-8").split()
    assert set(functional.__all__) - {"ACTIVATIONS"} <= set(listed)


def test_the_calculator_asks_nothing_of_a_network():
    for part in (DOCS / "standalone/calculator").iterdir():
        text = part.read_text(encoding="utf-8")
        assert not re.search(r"https?://|fetch\(|XMLHttpRequest|@import|url\(", text), part


def test_the_figure_of_the_race_is_that_of_its_table(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    import ratios

    ratios.draw(tmp_path / "ratios.png")
    drawn, held = tmp_path / "ratios.png", DOCS / "ratios.png"
    # Each version of matplotlib draws letters in its own way.
    own = f"Matplotlib version{matplotlib.__version__}".encode() in held.read_bytes()
    assert distance(drawn, held) < (0.005 if own else 0.02), "run python docs/ratios.py"
    rows, mean = ratios.read()
    assert len(rows) == 18
    for _, ours, _, theirs, ratio in rows:
        assert float(ours) / float(theirs) == pytest.approx(ratio, abs=0.01)
    assert np.exp(np.mean(np.log([row[-1] for row in rows]))) == pytest.approx(mean, abs=0.006)


def test_the_version_stands_in_one_place():
    root = DOCS.parent
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    newest = re.search(r"^## (\S+) \((.+)\)$", (root / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert newest[1] == project["version"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", newest[2])
    citing = (DOCS / "citing.md").read_text(encoding="utf-8")
    assert f"version = {{{newest[1]}}}" in citing
    assert newest[2][:4] in re.search(r"year += \{(\d+)\}", citing)[1]
