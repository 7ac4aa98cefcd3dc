"""Every example runs on its own, without a warning, and draws something."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))

# Runs a script as `python script` does, then says how many figures it leaves open.
RUN = """
import runpy, sys
import matplotlib.pyplot as plt
runpy.run_path(sys.argv[1], run_name="__main__")
drawn = [figure for figure in map(plt.figure, plt.get_fignums()) if figure.axes]
print("figures:", len(drawn))
"""


def run(script, folder):
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", RUN, str(script)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_examples():
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.stem)
def test_example_draws(script, tmp_path):
    output = run(script, tmp_path)
    assert int(output.rsplit("figures:", 1)[1]) >= 1
    assert script.read_text(encoding="utf-8").rstrip().endswith("plt.show()")
    if script.stem == "plot_digits":
        accuracy = {
            name: float(re.search(rf"{name} +([0-9.]+)", output)[1])
            for name in ("SoftmaxRegression", "SmallMLP")
        }
        assert accuracy["SoftmaxRegression"] >= 0.96
        assert accuracy["SmallMLP"] >= 0.975
        assert (tmp_path / "digits.png").stat().st_size > 10_000
