"""Solvers of elastic net, lasso and group lasso, called as those in `peers.py` are."""

from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.linear_model import LogisticRegression

from benchmarks.peers import ENDLESS, OURS, Fit, Solution, Solver, estimator
from benchmarks.report import progress
from softmax_regression import SoftmaxRegression

SAGA = "sklearn-saga"
_PATH = 20  # strengths by which the path algorithms come down to the one that is wanted


@dataclass(frozen=True)
class Penalty:
    """(1 − l1_ratio)/2 ‖W‖² + l1_ratio · the sum of coefficients' sizes, or of features' norms.

    Parameters
    ----------
    l1_ratio : float
        Above 0.
    grouping : {'none', 'features'}
        As `penalty_grouping`.
    """

    l1_ratio: float
    grouping: str = "none"

    def __call__(self, coef: np.ndarray) -> float:
        """Return it for (n_outputs, n_features) coefficients."""
        sizes = np.abs(coef) if self.grouping == "none" else np.linalg.norm(coef, axis=0)
        ridge = 0.5 * float(np.square(coef).sum())
        return (1 - self.l1_ratio) * ridge + self.l1_ratio * float(sizes.sum())


def solvers(penalty: Penalty) -> dict[str, Solver]:
    """Return ours, and those that are installed and have such a penalty; say which aren't."""
    makes = {OURS: ("softmax_regression", _ours)}
    if penalty.grouping == "none":
        makes |= {SAGA: ("sklearn", _saga), "glmnet": ("glmnet", _glmnet)}
    else:
        makes |= {"adelie": ("adelie", _adelie)}
    found = {}
    for name, (module, make) in makes.items():
        if find_spec(module):
            found[name] = Solver(module, partial(make, penalty), penalty=penalty)
        else:
            progress(f"{name} is skipped: {module} is not installed")
    return found


def _ours(penalty: Penalty, X: Any, y: Any, tol: float) -> Fit:
    how = {"l1_ratio": penalty.l1_ratio, "penalty_grouping": penalty.grouping}
    return estimator(lambda tol: SoftmaxRegression(tol=tol, max_iter=1000, **how), X, y, tol)


def _saga(penalty: Penalty, X: Any, y: Any, tol: float) -> Fit:
    model = LogisticRegression(solver="saga", l1_ratio=penalty.l1_ratio, max_iter=ENDLESS)
    if model.penalty == "l2":  # an earlier scikit-learn wants to be told
        model.penalty = "elasticnet"
    return estimator(lambda tol: model.set_params(tol=tol), X, y, tol)


def _strengths(penalty: Penalty, X: Any, y: Any, classes: np.ndarray) -> np.ndarray:
    """Fall from the strength at which the first coefficient appears to 1/n, that of C = 1."""
    targets = (y[:, None] == classes).astype(np.float64)
    slopes = X.T @ (targets - targets.mean(axis=0)) / len(y)
    sizes = np.abs(slopes) if penalty.grouping == "none" else np.linalg.norm(slopes, axis=1)
    last = 1 / len(y)
    return np.geomspace(max(sizes.max() / penalty.l1_ratio, 1.001 * last), last, _PATH)


def _glmnet(penalty: Penalty, X: Any, y: Any, tol: float) -> Fit:
    """Coefficient by coefficient: its wrapper has no groups."""
    from glmnet import LogitNet

    X = X.tocsc().astype(np.float64) if issparse(X) else np.asfortranarray(X, np.float64)
    classes, labels = np.unique(y, return_inverse=True)
    strengths = _strengths(penalty, X, y, classes)

    def fit() -> Solution:
        model = LogitNet(
            alpha=penalty.l1_ratio, lambda_path=strengths, standardize=False, tol=tol,
            n_splits=0, max_iter=ENDLESS,
        )  # fmt: skip
        model.fit(X, labels)
        coef = model.coef_path_[..., -1]
        return coef.reshape(-1, X.shape[1]), np.ravel(model.intercept_path_[..., -1])

    return fit


def _adelie(penalty: Penalty, X: Any, y: Any, tol: float) -> Fit:
    """In groups: it has the multinomial loss for these only."""
    import adelie

    classes = np.unique(y)
    K, p = len(classes), X.shape[1]
    targets = (y[:, None] == classes).astype(np.float64)
    # Its loss is divided by the number of classes too.
    strengths = _strengths(penalty, X, y, classes) / K
    matrix = adelie.matrix.sparse if issparse(X) else adelie.matrix.dense
    rows = X.tocsc().astype(np.float64) if issparse(X) else np.asfortranarray(X, np.float64)
    wrapped = matrix(rows, method="naive", n_threads=2)

    def fit() -> Solution:
        state = adelie.grpnet(
            wrapped, adelie.glm.multinomial(targets, dtype=np.float64), alpha=penalty.l1_ratio,
            penalty=np.ones(p), lmda_path=strengths, tol=tol, irls_tol=tol, early_exit=False,
            adev_tol=1.0, n_threads=2, progress_bar=False,
        )  # fmt: skip
        return state.betas[-1].toarray().reshape(p, K).T, np.ravel(state.intercepts[-1])

    return fit
