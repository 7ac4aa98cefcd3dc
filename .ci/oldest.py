"""Print pip constraints that pin every lower bound of the run-time, plot and test requirements."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
for requirement in (*project["dependencies"], *extras["plot"], *extras["dask"], *extras["test"]):
    bound = re.fullmatch(r"([A-Za-z0-9_-]+)(?:\[[a-z,]+\])?>=([0-9.]+)", requirement)
    if bound:
        print("{}=={}".format(*bound.groups()))
