"""The solvers that race: each fits at a tolerance and returns coefficients and intercepts.

A solver's ``make(X, y, tol)`` prepares what is not to be charged, and returns the function without
arguments that is timed.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.linear_model import LogisticRegression

from benchmarks.report import progress
from softmax_regression import SoftmaxRegression

Solution = tuple[np.ndarray, np.ndarray]
Fit = Callable[[], Solution]
Make = Callable[[Any, Any, float], Fit]

ENDLESS = 1_000_000  # iterations


def ridge(coef: np.ndarray) -> float:
    """½ ‖W‖²."""
    return 0.5 * float(np.square(coef).sum())


_LADDER = tuple(10.0**-k for k in range(1, 14))


@dataclass(frozen=True)
class Solver:
    """How a solver is called; it travels to another process, so `make` is no lambda.

    Parameters
    ----------
    module : str
        What must be installed.
    make : callable
        See the module's text.
    ladder : tuple of float
        Its tolerances, from the loosest.
    at_least : float
        The tolerance that it goes down to even if a looser one has reached the goal.
    penalty : callable
        Of the coefficients.
    C : float
        That of the objective which `make` is to minimise.
    """

    module: str
    make: Make
    ladder: tuple[float, ...] = _LADDER
    at_least: float = np.inf
    penalty: Callable[[np.ndarray], float] = ridge
    C: float = 1.0


def estimator(create: Callable[[float], Any], X: Any, y: Any, tol: float) -> Fit:
    def fit() -> Solution:
        model = create(tol).fit(X, y)
        return model.coef_, model.intercept_

    return fit


def _ours(X: Any, y: Any, tol: float, **parameters: Any) -> Fit:
    return estimator(lambda tol: SoftmaxRegression(tol=tol, **parameters), X, y, tol)


def _reference(X: Any, y: Any, tol: float, **parameters: Any) -> Fit:
    return _ours(X.astype(np.float64), y, tol, **parameters)


def _scikit_learn(solver: str, X: Any, y: Any, tol: float, C: float = 1.0) -> Fit:
    def create(tol: float) -> LogisticRegression:
        return LogisticRegression(solver=solver, C=C, tol=tol, max_iter=ENDLESS)

    return estimator(create, X, y, tol)


def _intel(X: Any, y: Any, tol: float) -> Fit:
    from sklearnex.linear_model import LogisticRegression as Intel

    return estimator(lambda tol: Intel(tol=tol, max_iter=ENDLESS), X, y, tol)


def _cyanure(X: Any, y: Any, tol: float) -> Fit:
    from cyanure.estimators import Classifier

    classes, labels = np.unique(y, return_inverse=True)
    X = X.tocsr() if issparse(X) else np.ascontiguousarray(X)

    def fit() -> Solution:
        model = Classifier(
            loss="logistic" if len(classes) == 2 else "multiclass-logistic",
            penalty="l2",
            lambda_1=1 / X.shape[0],
            tol=tol,
            max_iter=100_000,  # it sets memory aside for a report of each
            fit_intercept=True,
            verbose=False,
        )
        model.fit(X, labels)
        return np.reshape(model.coef_.T, (-1, X.shape[1])), np.ravel(model.intercept_)

    return fit


def _torch(X: Any, y: Any, tol: float) -> Fit:
    import torch

    classes, labels = np.unique(y, return_inverse=True)
    n_rows, n_columns = X.shape
    rows, target = _torch_tensor(X), torch.from_numpy(labels)
    # Two classes have a row of W each: their difference w counts ½ ‖w‖², which is ‖w/2‖² twice.
    l2 = (1.0 if len(classes) == 2 else 0.5) / n_rows

    def fit() -> Solution:
        weight = torch.zeros((len(classes), n_columns), dtype=rows.dtype, requires_grad=True)
        bias = torch.zeros(len(classes), dtype=rows.dtype, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [weight, bias],
            max_iter=ENDLESS,
            tolerance_grad=tol * 1e-3,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            scores = rows @ weight.T + bias
            value = torch.nn.functional.cross_entropy(scores, target) + l2 * (weight**2).sum()
            value.backward()
            return value

        optimizer.step(loss)
        coef, intercept = weight.detach().numpy(), bias.detach().numpy()
        if len(classes) == 2:
            return coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        return coef, intercept

    return fit


def _torch_tensor(X: Any) -> Any:
    import torch

    if not issparse(X):
        return torch.from_numpy(np.ascontiguousarray(X))
    X = X.tocsr()
    return torch.sparse_csr_tensor(X.indptr, X.indices, torch.from_numpy(X.data), size=X.shape)


OURS = "softmax-regression"
SKLEARN = "sklearn-lbfgs"  # the solver of LogisticRegression()
AS_IT_COMES = 1e-4  # and its tolerance
REFERENCE = Solver("softmax_regression", _reference, (1e-10,))
SOLVERS = {
    OURS: Solver("softmax_regression", _ours),
    SKLEARN: Solver("sklearn", partial(_scikit_learn, "lbfgs"), at_least=AS_IT_COMES),
    "sklearn-newton-cg": Solver("sklearn", partial(_scikit_learn, "newton-cg")),
    "sklearn-newton-cholesky": Solver("sklearn", partial(_scikit_learn, "newton-cholesky")),
    "sklearnex-lbfgs": Solver("sklearnex", _intel),
    "cyanure": Solver("cyanure", _cyanure),
    "torch-lbfgs": Solver("torch", _torch),
}


def at(
    C: float, own: Sequence[str] = (), theirs: Sequence[str] = ()
) -> tuple[Solver, dict[str, Solver]]:
    """Return the reference for some C, and solvers: ours as it comes, some of ours, and peers.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty.
    own : sequence of str
        Names of solvers of `SoftmaxRegression`.
    theirs : sequence of str
        Names of solvers of `LogisticRegression`.
    """
    reference = Solver("softmax_regression", partial(_reference, C=C, max_iter=5000), (1e-10,), C=C)
    solvers = {OURS: Solver("softmax_regression", partial(_ours, C=C, max_iter=5000), C=C)}
    for name in own:
        make = partial(_ours, C=C, solver=name, max_iter=5000)
        solvers[f"{OURS} {name}"] = Solver("softmax_regression", make, C=C)
    for name in theirs:
        solvers[f"sklearn-{name}"] = Solver("sklearn", partial(_scikit_learn, name, C=C), C=C)
    return reference, solvers


def installed(only: Collection[str] = ()) -> list[str]:
    """Name the solvers that can be imported, of all or of some; say which can't."""
    result = []
    for name in only or SOLVERS:
        module = SOLVERS[name].module
        if find_spec(module):
            result.append(name)
        else:
            progress(f"{name} is skipped: {module} is not installed")
    return result
