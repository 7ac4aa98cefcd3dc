"""Run the first example of the README with the package that is installed."""

import doctest
import platform
import re
import sys
from pathlib import Path

import softmax_regression

README = Path(__file__).parents[1] / "README.md"

example = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
runner.run(doctest.DocTestParser().get_doctest(example, {}, "the first example", "README.md", 0))
version, installed = softmax_regression.__version__, Path(softmax_regression.__file__).parents[1]
print(f"softmax-regression {version} on Python {platform.python_version()}", end=": ")
print(f"{runner.tries} steps, {runner.failures} failed")
sys.exit(runner.failures > 0 or installed == README.parent)
