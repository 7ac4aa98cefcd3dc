"""Random problems with everything that breaks a solver, and how the fits of them end."""

import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks.hostile_objective import Objective
from benchmarks.hostile_polish import polish
from benchmarks.hostile_problems import Extended, Hostile, problem
from benchmarks.report import Table, number, progress
from softmax_regression import SoftmaxRegression

ENDS = "certified", "warned", "wrong", "not finite", "crashed", "refused"

_REFUSALS = (
    "is too small to divide by",
    "so large that their squares overflow",
    "infinity or a value too large",
)
_LEAST_GAP = 1e-5
_ROUNDINGS = 10.0


@dataclass
class End:
    """How a fit ended: one of `ENDS`, the details, and what is known of the gap."""

    how: str
    details: str = ""
    claimed: float | None = None
    true: float | None = None
    seconds: float = 0.0
    checked: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)


def fit(hostile: Hostile) -> SoftmaxRegression:
    parameters = dict(hostile.parameters)
    if hostile.earlier is None:
        return SoftmaxRegression(**parameters).fit(hostile.X, hostile.y, hostile.sample_weight)
    first = hostile.earlier
    model = SoftmaxRegression(**parameters | {"C": first.C}, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(first.X, first.y, first.sample_weight)
    return model.set_params(C=parameters["C"]).fit(hostile.X, hostile.y, hostile.sample_weight)


def end(hostile: Hostile) -> End:
    """Fit, and say how that ended."""
    begin = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = fit(hostile)
            seconds = time.process_time() - begin
            probabilities = model.predict_proba(hostile.X)
        except Exception as error:
            seconds = time.process_time() - begin
            message = f"{type(error).__name__}: {error}"
            refused = isinstance(error, ValueError) and any(r in message for r in _REFUSALS)
            return End("refused" if refused else "crashed", message, seconds=seconds)
    others = [w for w in caught if not issubclass(w.category, ConvergenceWarning)]
    warned = [str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning)]
    if others:
        w = others[0]
        where = f"{w.filename.rsplit('/', 1)[-1]}:{w.lineno}"
        return End("crashed", f"{w.category.__name__}: {w.message} ({where})", seconds=seconds)
    numbers = model.coef_, model.intercept_, model.objective_, probabilities
    if not all(np.isfinite(value).all() for value in numbers):
        return End("not finite", "; ".join(warned), seconds=seconds)
    begin = time.process_time()
    ended = judge(hostile, model, warned)
    ended.seconds, ended.checked = seconds, time.process_time() - begin
    return ended


def judge(hostile: Hostile, model: SoftmaxRegression, warned: list[str]) -> End:
    objective = Objective(hostile)
    reached = objective(model.coef_, model.intercept_)
    claimed = float(model.optimality_gap_)
    if reached == 0:
        return End("warned" if warned else "certified", "", claimed, 0.0)
    rounding = np.finfo(model.coef_.dtype).eps
    outside = np.maximum(objective.lower - model.coef_, model.coef_ - objective.upper)
    if (outside > 2 * rounding * np.abs(model.coef_)).any():
        return End("wrong", f"outside of its bounds by {outside.max():.1e}", claimed)
    lowest, best = polish(objective, (model.coef_, model.intercept_), reached)
    stored = _stored(objective, best, model.coef_.dtype)
    allowed = _ROUNDINGS * max(objective(*stored) - lowest, 0)
    true = float((reached - lowest) / reached)
    excess = float((reached - lowest - allowed) / reached)
    figures = {"rounding": float(allowed / reached), "objective": float(model.objective_ / reached - 1)}
    if warned:
        return End("warned", warned[0], claimed, true, figures=figures)
    if not claimed <= model.tol:
        return End("wrong", f"silent about a gap of {claimed:.1e}", claimed, true, figures=figures)
    if excess > max(3 * claimed, _LEAST_GAP):
        return End(
            "wrong", f"{true:.1e} above the minimum, claims {claimed:.1e}", claimed, true,
            figures=figures,
        )  # fmt: skip
    return End("certified", "", claimed, true, figures=figures)


def _stored(objective: Objective, point: Any, dtype: np.dtype) -> Any:
    coef, intercept = point
    if objective.n_outputs > 1:
        if objective.l1 == 0 and not objective.bounded:
            coef = coef - coef.mean(axis=0)
        if objective.fit_intercept:
            intercept = intercept - intercept.mean()
    return tuple(part.astype(dtype).astype(Extended) for part in (coef, intercept))
