"""Every example runs on its own, without a warning, and saves a figure."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from images import distance

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))

# Runs a script as `python script --output FOLDER` does, then says how many figures it leaves open.
RUN = """
import runpy, sys
del sys.argv[0]
import matplotlib.pyplot as plt
runpy.run_path(sys.argv[0], run_name="__main__")
drawn = [figure for figure in map(plt.figure, plt.get_fignums()) if figure.axes]
print("figures:", len(drawn))
"""


def run(script, folder, **variables):
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONWARNINGS": "error"} | variables
    command = [sys.executable, "-c", RUN, str(script), "--output", str(folder)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_for(script, folder):
    """Return the environment variables that name the files a script reads, made up."""
    if script.stem != "plot_genes":
        return {}
    rng = np.random.default_rng(0)
    y = np.repeat(["BREAST", "COLON", "RENAL", "UNKNOWN"], [8, 9, 7, 2])
    X = rng.normal(size=(len(y), 100))
    X[np.arange(len(y)), np.unique(y, return_inverse=True)[1]] += 3
    np.savez(folder / "tumours.npz", X=X, y=y)
    return {"NCI60": str(folder / "tumours.npz")}


def test_without_its_data_an_example_says_so(tmp_path):
    script = next(script for script in EXAMPLES if script.stem == "plot_genes")
    output = run(script, tmp_path, NCI60=str(tmp_path / "none.npz"))
    assert "skipped: there is no" in output
    assert "figures: 0" in output


def test_there_are_examples():
    assert len(EXAMPLES) >= 13


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.stem)
def test_example_draws(script, tmp_path):
    output = run(script, tmp_path, **files_for(script, tmp_path))
    n_figures = int(output.rsplit("figures:", 1)[1])
    assert n_figures >= 1
    saved = list(tmp_path.glob("*.png"))
    assert len(saved) == n_figures
    assert all(path.stat().st_size > 10_000 for path in saved)
    assert script.read_text(encoding="utf-8").rstrip().endswith("plt.show()")
    if script.stem == "plot_digits":
        accuracy = {
            name: float(re.search(rf"{name} +([0-9.]+)", output)[1])
            for name in ("SoftmaxRegression", "SmallMLP")
        }
        assert accuracy["SoftmaxRegression"] >= 0.96
        assert accuracy["SmallMLP"] >= 0.975
        held = DOCS / "digits.png"
        assert distance(held, tmp_path / "digits.png") < 0.03, (
            "docs/digits.png is not what the example draws: run it with --output docs"
        )
