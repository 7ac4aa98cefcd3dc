"""Small tables and single rows, where what surrounds the arithmetic takes the time."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from benchmarks.datasets import BUNDLED
from benchmarks.peers import ENDLESS
from benchmarks.report import Table, number, ratio
from benchmarks.timing import compare
from softmax_regression import SoftmaxRegression

_DATA = "sklearn-iris", "sklearn-digits"
_MOST = 500  # calls of a burst: a prediction takes microseconds
_MODELS: dict[str, Callable[[], Any]] = {
    "SoftmaxRegression()": SoftmaxRegression,
    "LogisticRegression()": LogisticRegression,
    "LogisticRegression(max_iter=∞)": lambda: LogisticRegression(max_iter=ENDLESS),
}


def run(rounds: int, names: Sequence[str] = _DATA) -> Iterator[dict[str, Any]]:
    """Measure a fit, and predictions of one row."""
    ours, *others = _MODELS
    columns = [column for other in others for column in (f"{other}, µs", "ratio")]
    table = Table("data", "call", f"{ours}, µs", *columns)
    for name in names:
        for call, calls in _calls(name).items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                seconds = compare(calls, rounds, most=_MOST)
            cells = [number(seconds[ours], 1e6)]
            for other in others:
                if other in seconds:
                    cells += number(seconds[other], 1e6), ratio(seconds[ours] / seconds[other])
            table.row(name, call, *cells)
            yield {"data": name, "call": call, "seconds": seconds}


def _calls(name: str) -> dict[str, dict[str, Callable[[], object]]]:
    """Return what is timed, by the call and the model."""
    X, y = BUNDLED[name](return_X_y=True)
    row = X[:1]
    fitted: dict[str, Any] = {
        "SoftmaxRegression()": SoftmaxRegression().fit(X, y),
        "LogisticRegression()": LogisticRegression(max_iter=ENDLESS).fit(X, y),
    }
    return {
        "fit": {model: partial(_fit, create, X, y) for model, create in _MODELS.items()},
        "predict": {name: partial(model.predict, row) for name, model in fitted.items()},
        "predict_proba": {
            name: partial(model.predict_proba, row) for name, model in fitted.items()
        },
    }


def _fit(create: Callable[[], Any], X: Any, y: Any) -> None:
    create().fit(X, y)
