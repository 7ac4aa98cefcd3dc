"""How a fit of a hostile problem ends, and whether what it says of its gap is true.

A fit that does not warn is *wrong* where the objective lies more than 1e-5 above the lowest that is
found, as a fraction of itself, while `optimality_gap_` claims less than a third of that. The
objective is evaluated in extended precision from `coef_` and `intercept_`, and minimised once more
by a method of its own, from there and from zero; see `polish.py`. What is found counts only by that
objective, so that a certificate is never blamed for a fault of the other method.

- Not charged is what rounding to float64 may cost: ten times what it costs the lowest point, or
  what a last digit changes at the solution. Rounding to float32 is: the gap is to count it.
- Where there is no minimum, as without a penalty where a hyperplane tells the classes apart, the
  objective can always be undercut: only a warning is right.
- Wrong are also coefficients out of bounds, a gap above `tol` without a warning, and an
  `objective_` that is not the objective at the solution.
- Of a fit that warns, the gap is *understated* by the same rule.
- A fit that takes longer than a minute of processor time is *slow*, and given up where the system
  has a timer for that.
"""

import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks.hostile.objective import Objective
from benchmarks.hostile.polish import polish
from benchmarks.hostile.problems import Extended, Hostile
from benchmarks.hostile.standardized import Point
from softmax_regression import SoftmaxRegression

ENDS = "certified", "warned", "wrong", "not finite", "crashed", "refused", "slow"
SLOW = 60.0  # seconds of processor time for a fit

_REFUSALS = (  # of what can't be computed with; anything else that is raised is a crash
    "is too small to divide by",
    "so large that their squares overflow",
    "are too large for float32",
    "infinity or a value too large",
)
_LEAST_GAP = 1e-5
_OVER_CLAIM = 3.0
_OVER_ROUNDING = 10.0


class SlowError(BaseException):
    """A fit takes too long: nothing in it shall catch that."""


@dataclass
class End:
    """How a fit ended.

    Parameters
    ----------
    how : str
        One of `ENDS`.
    details : str
        What was raised or warned of, or what is wrong.
    claimed, true : float or None
        The gap that is claimed, and the one above the lowest objective that was found.
    understated : bool
        Whether the gap is larger than a warned fit claims.
    seconds, check_seconds : float
        Processor time of the fits, and of the check.
    """

    how: str
    details: str = ""
    claimed: float | None = None
    true: float | None = None
    understated: bool = False
    seconds: float = 0.0
    check_seconds: float = 0.0

    def record(self) -> dict[str, Any]:
        """Return it for JSON, which has no infinity."""
        return {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in asdict(self).items()
        }


def end(hostile: Hostile) -> End:
    """Fit, and say how that ended."""
    begin = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with _limited_time():
                model = fit(hostile)
            probabilities = model.predict_proba(hostile.X)
        except SlowError:
            ended = End("slow")
        except Exception as error:
            ended = _raised(error)
        else:
            ended = None
    seconds = time.process_time() - begin
    begin = time.process_time()
    if ended is None:
        ended = _returned(hostile, model, probabilities, caught)
    ended.seconds, ended.check_seconds = seconds, time.process_time() - begin
    return ended


@contextmanager
def _limited_time() -> Iterator[None]:
    """Raise `SlowError` when the time is over, on systems that have a timer of processor time."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def give_up(*_: Any) -> None:
        raise SlowError

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, SLOW)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def fit(hostile: Hostile) -> SoftmaxRegression:
    """Fit the problem, after what comes before it if it is a warm start."""
    data, parameters = (hostile.X, hostile.y, hostile.sample_weight), hostile.parameters
    first = hostile.earlier
    if first is None:
        return SoftmaxRegression(**parameters).fit(*data)
    model = SoftmaxRegression(**parameters | {"C": first.C}, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(first.X, first.y, first.sample_weight)
    return model.set_params(C=parameters["C"]).fit(*data)


def _raised(error: Exception) -> End:
    message = f"{type(error).__name__}: {error}"
    refused = isinstance(error, ValueError) and any(words in message for words in _REFUSALS)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return End("refused" if refused else "crashed", f"{message} ({_place(frame)})")


def _place(where: Any) -> str:
    """Name the file and the line of a frame or a warning."""
    return f"{Path(where.filename).name}:{where.lineno}"


def _returned(
    hostile: Hostile,
    model: SoftmaxRegression,
    probabilities: np.ndarray,
    caught: list[warnings.WarningMessage],
) -> End:
    stray = [w for w in caught if not issubclass(w.category, ConvergenceWarning)]
    if stray:
        name = stray[0].category.__name__
        return End("crashed", f"{name}: {stray[0].message} ({_place(stray[0])})")
    numbers = model.coef_, model.intercept_, model.objective_, probabilities
    if not all(np.isfinite(values).all() for values in numbers):
        return End("not finite")
    return judge(hostile, model, str(caught[0].message) if caught else None)


def judge(hostile: Hostile, model: SoftmaxRegression, warning: str | None) -> End:
    """Judge a fit whose numbers are finite; `warning` is what it warned of."""
    objective = Objective(hostile)
    claimed = float(model.optimality_gap_)
    reached = objective(model.coef_, model.intercept_)
    if reached == 0:  # which nothing undercuts
        return End("warned" if warning else "certified", warning or "", claimed, 0.0)
    lowest, best = polish(objective, (model.coef_, model.intercept_), reached)
    rounding = _OVER_ROUNDING * _rounding(objective, model, reached, lowest, best)
    true = float((reached - lowest) / reached)
    uncharged = float(rounding / reached) if model.coef_.dtype == np.float64 else 0.0
    untrue = true - uncharged > max(_OVER_CLAIM * claimed, _LEAST_GAP)
    how = {"claimed": claimed, "true": true}
    if warning is not None:
        return End("warned", warning, **how, understated=untrue)
    if _outside(objective, model.coef_):
        return End("wrong", "coefficients are out of bounds", **how)
    if not claimed <= model.tol:
        return End("wrong", f"it is silent about a gap of {claimed:.1e}", **how)
    if untrue:
        return End("wrong", f"{true:.1e} above the minimum, which claims {claimed:.1e}", **how)
    if abs(model.objective_ - reached) > rounding + _LEAST_GAP * reached:
        return End("wrong", f"objective_ is {model.objective_:.6e}, and not {reached:.6e}", **how)
    return End("certified", "", **how)


def _rounding(
    objective: Objective,
    model: SoftmaxRegression,
    reached: np.longdouble,
    lowest: np.longdouble,
    best: Point,
) -> np.longdouble:
    """Return what the precision of `coef_` costs at the lowest point, or changes at the solution.

    Of several classes, what they share is first taken off where it makes no difference.
    """
    coef, intercept = best
    if objective.n_outputs > 1 and objective.l1 == 0 and not objective.bounded:
        coef = coef - coef.mean(axis=0)
    if objective.n_outputs > 1 and objective.fit_intercept:
        intercept = intercept - intercept.mean()
    dtype = model.coef_.dtype
    with np.errstate(over="ignore"):
        stored = objective(coef.astype(dtype), intercept.astype(dtype))
    costs = [stored - lowest]
    rng = np.random.default_rng(0)
    for _ in range(3):
        moved = (
            values.astype(Extended) * (1 + np.finfo(dtype).eps * rng.uniform(-1, 1, values.shape))
            for values in (model.coef_, model.intercept_)
        )
        costs.append(abs(objective(*moved) - reached))
    return max(costs)


def _outside(objective: Objective, coef: np.ndarray) -> bool:
    """Whether coefficients are out of bounds by more than their rounding."""
    most = 2 * np.finfo(coef.dtype).eps * np.abs(coef)
    return bool(((coef < objective.lower - most) | (coef > objective.upper + most)).any())
