"""Small tables and single rows, where what surrounds the arithmetic takes the time."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from benchmarks.datasets import BUNDLED
from benchmarks.peers import ENDLESS
from benchmarks.report import Table, number, ratio
from benchmarks.timing import compare
from softmax_regression import SmallMLP, SoftmaxRegression

_DATA = "sklearn-iris", "sklearn-digits"
_MAX_CALLS_OF_A_BURST = 500  # A prediction takes microseconds.
Create = Callable[[], Any]

_LINEAR: dict[str, Create] = {
    "SoftmaxRegression()": SoftmaxRegression,
    "LogisticRegression()": LogisticRegression,
    "LogisticRegression(max_iter=∞)": lambda: LogisticRegression(max_iter=ENDLESS),
}
_NETWORKS: dict[str, Create] = {"SmallMLP()": SmallMLP, "MLPClassifier()": MLPClassifier}


def run(rounds: int, names: Sequence[str] = _DATA) -> Iterator[dict[str, Any]]:
    """Measure a fit, and predictions of one row: of linear models, and of networks."""
    yield from _compare(_LINEAR, rounds, names)
    print(flush=True)
    yield from _compare(_NETWORKS, rounds, names)


def _compare(
    models: Mapping[str, Create], rounds: int, names: Sequence[str]
) -> Iterator[dict[str, Any]]:
    ours, *others = models
    columns = [column for other in others for column in (f"{other}, µs", "ratio")]
    table = Table("data", "call", f"{ours}, µs", *columns)
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            for call, calls in _calls(models, name).items():
                seconds = compare(calls, rounds, most=_MAX_CALLS_OF_A_BURST)
                cells = [number(seconds[ours], 1e6)]
                for other in others:
                    cells += number(seconds[other], 1e6), ratio(seconds[ours] / seconds[other])
                table.row(name, call, *cells)
                yield {"data": name, "call": call, "seconds": seconds}


def _calls(models: Mapping[str, Create], name: str) -> dict[str, dict[str, Callable[[], object]]]:
    """Return what is timed, by the call and the model."""
    X, y = BUNDLED[name](return_X_y=True)
    row = X[:1]
    fitted = {model: create().fit(X, y) for model, create in models.items()}
    return {
        "fit": {model: partial(_fit, create, X, y) for model, create in models.items()},
        "predict": {name: partial(model.predict, row) for name, model in fitted.items()},
        "predict_proba": {
            name: partial(model.predict_proba, row) for name, model in fitted.items()
        },
    }


def _fit(create: Create, X: Any, y: Any) -> None:
    create().fit(X, y)
