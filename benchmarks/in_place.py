"""A plugin of pytest with which scikit-learn's tests import our estimators."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from benchmarks.compatibility import FAILED, NOT_APPLICABLE, PASSED, Result
from benchmarks.not_applicable import IN_OUR_WORDS, TESTS, is_meant
from benchmarks.stand_ins import fits_so_far, in_place


class InPlace:
    """Keeps how each test of a module ended.

    Parameters
    ----------
    module : str
        Its path in scikit-learn.
    """

    def __init__(self, module: str):
        self.results: list[Result] = []
        reasons = TESTS.get(module, {})
        self._reasons = [(test, why) for why, tests in reasons.items() for test in tests]
        self._fits_before = 0

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Iterator[None]:
        """Import the module."""
        pytest.raises, pytest.warns = _in_our_words(pytest.raises), _in_our_words(pytest.warns)
        with in_place():
            return (yield)

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Expect what does not apply to fail."""
        for test, why in self._reasons:
            meant = [item for item in items if is_meant(test, item)]
            for item in meant:
                item.add_marker(pytest.mark.xfail(reason=why, strict=True))
            if not meant:
                self.results.append(Result(test, FAILED, "there is no such test"))

    def pytest_runtest_setup(self) -> None:
        """Forget the fits of the tests before."""
        self._fits_before = fits_so_far()

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep a test that failed, does not apply, or fits one of ours and passed."""
        if report.failed:
            self.results.append(Result(report.nodeid, FAILED, _first_line(report)))
        elif hasattr(report, "wasxfail"):
            self.results.append(Result(report.nodeid, NOT_APPLICABLE, report.wasxfail))
        elif report.when == "call" and report.passed and fits_so_far() > self._fits_before:
            self.results.append(Result(report.nodeid, PASSED))


def _in_our_words(expect: Callable[..., Any]) -> Callable[..., Any]:
    """Have `pytest.raises` or `pytest.warns` take what we say for what scikit-learn says."""

    def expecting(*args: Any, match: Any = None, **kwargs: Any) -> Any:
        if isinstance(match, str):
            unescaped = match.replace("\\", "")
            ours = [ours for theirs, ours in IN_OUR_WORDS.items() if theirs in unescaped]
            match = "|".join([match, *ours])
        return expect(*args, match=match, **kwargs)

    return expecting


def _first_line(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr).strip().split("\n")[0]
