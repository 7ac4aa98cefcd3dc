"""What the site refers to is there, without building it."""

import re
from pathlib import Path

import pytest

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
