"""The solvers that race: each fits at a tolerance and returns coefficients and intercepts.

A solver is a function ``make(X, y, tol)`` that prepares what is not to be charged, and returns the
function without arguments that is timed.
"""

import warnings
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from scipy.sparse import issparse
from sklearn.linear_model import LogisticRegression

from softmax_regression import SoftmaxRegression

Solution = tuple[np.ndarray, np.ndarray]
Make = Callable[..., Callable[[], Solution]]

_LADDER = tuple(10.0**-k for k in range(1, 14))


def _estimator(make) -> Make:
    def prepare(X, y, tol):
        def fit():
            model = make(tol).fit(X, y)
            return model.coef_, model.intercept_

        return fit

    return prepare


def _scikit_learn(solver: str) -> Make:
    return _estimator(lambda tol: LogisticRegression(solver=solver, tol=tol, max_iter=1_000_000))


def _intel(X, y, tol):
    from sklearnex.linear_model import LogisticRegression as Intel

    return _estimator(lambda tol: Intel(tol=tol, max_iter=1_000_000))(X, y, tol)


def _cyanure(X, y, tol):
    from cyanure.estimators import Classifier

    classes, labels = np.unique(y, return_inverse=True)
    X = X.tocsr() if issparse(X) else np.ascontiguousarray(X)
    binary = len(classes) == 2

    def fit():
        model = Classifier(
            loss="logistic" if binary else "multiclass-logistic",
            penalty="l2",
            lambda_1=1 / X.shape[0],
            tol=tol,
            max_iter=100_000,
            fit_intercept=True,
            verbose=False,
        )
        model.fit(X, labels)
        coef, intercept = np.asarray(model.coef_), np.ravel(model.intercept_)
        coef = coef if coef.shape[-1] == X.shape[1] else coef.T
        return coef.reshape(-1, X.shape[1]), intercept

    return fit


def _torch(X, y, tol):
    import torch

    classes, labels = np.unique(y, return_inverse=True)
    rows, target = torch.from_numpy(np.ascontiguousarray(X)), torch.from_numpy(labels)
    n_classes = len(classes)

    def fit():
        weight = torch.zeros((n_classes, X.shape[1]), dtype=rows.dtype, requires_grad=True)
        bias = torch.zeros(n_classes, dtype=rows.dtype, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [weight, bias],
            max_iter=100_000,
            tolerance_grad=tol * 1e-3,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

        def closure():
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(rows @ weight.T + bias, target)
            # two classes with a row of W each: half of the penalty of their difference each
            loss = loss + (weight**2).sum() * (1 if n_classes == 2 else 0.5) / len(rows)
            loss.backward()
            return loss

        optimizer.step(closure)
        coef, intercept = weight.detach().numpy(), bias.detach().numpy()
        if n_classes == 2:
            return coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        return coef, intercept

    return fit


OURS = "softmax-regression"
AS_IT_COMES = "LogisticRegression()"
SOLVERS: dict[str, tuple[str, tuple[float, ...], Make]] = {
    OURS: ("softmax_regression", _LADDER[:9], _estimator(lambda tol: SoftmaxRegression(tol=tol))),
    AS_IT_COMES: ("sklearn", (1e-4,), _scikit_learn("lbfgs")),
    "sklearn lbfgs": ("sklearn", _LADDER, _scikit_learn("lbfgs")),
    "sklearn newton-cg": ("sklearn", _LADDER, _scikit_learn("newton-cg")),
    "sklearn newton-cholesky": ("sklearn", _LADDER, _scikit_learn("newton-cholesky")),
    "sklearnex lbfgs": ("sklearnex", _LADDER, _intel),
    "cyanure": ("cyanure", _LADDER, _cyanure),
    "torch LBFGS": ("torch", _LADDER, _torch),
}


def installed() -> list[str]:
    """Solvers that can be imported; the others are named in a line."""
    result = []
    for name, (module, _, _) in SOLVERS.items():
        if find_spec(module):
            result.append(name)
        else:
            print(f"{name} is skipped: {module} is not installed")
    return result


def quiet() -> None:
    """Silence warnings: that a solver has not converged is what is measured."""
    warnings.simplefilter("ignore")
