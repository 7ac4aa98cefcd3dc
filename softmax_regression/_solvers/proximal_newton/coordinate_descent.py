r"""Coordinate descent on a dense quadratic model with a lasso penalty.

A sweep minimises q over one entry at a time, and updates the slopes of all entries after each (J.
Friedman, T. Hastie and R. Tibshirani, "Regularization paths for generalized linear models via
coordinate descent", Journal of Statistical Software 33, 2010). A sweep costs at most as much as a
product with M, and finds the zeros in far fewer sweeps than proximal gradient steps need products.
scikit-learn has a compiled loop for

    ½ vᵀ Q v − c·v + Σ_i |v_i|

Therefore the unknowns are multiplied by their weights, v_i = ω_i u_i. Entries without a penalty are
eliminated: they take the values at which the model is least for the other entries, and Q is the
Schur complement.
"""

from __future__ import annotations

import warnings
from threading import Lock

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path
from sklearn.utils.fixes import parse_version

from softmax_regression._curvature.working_set import DenseHessian
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import CholeskyFactor
from softmax_regression._solvers.proximal_newton.quadratic import FlatLasso, Quadratic

_SWEEPS = 100  # Sweeps in a row.
# Screening would set entries to zero by a bound that needs more than Q and c.
_OPTIONS = (
    {"do_screening": False} if parse_version(sklearn.__version__) >= parse_version("1.8") else {}
)
_warning_filters = Lock()  # Filters of warnings belong to the process, not to a thread.


class CoordinateDescent:
    """Sweeps of coordinate descent over all entries of a model.

    Parameters
    ----------
    model : Quadratic
        The smooth part of q, which moves with the sweeps.
    matrix : DenseHessian
        The matrix of the model.
    penalty : FlatLasso
        The penalty Ω.
    """

    def __init__(self, model: Quadratic, matrix: DenseHessian, penalty: FlatLasso):
        self._model, self._penalty = model, penalty
        weights, whole = penalty.weights, matrix.matrix
        self._penalized, self._free = np.flatnonzero(weights), np.flatnonzero(weights == 0)
        self._weights = weights[self._penalized]
        right = whole @ model.at - model.slope
        self._quadratic = whole[np.ix_(self._penalized, self._penalized)]
        self._linear = right[self._penalized]
        if len(self._free):
            factor = CholeskyFactor(whole[np.ix_(self._free, self._free)])
            across = whole[np.ix_(self._free, self._penalized)]
            self._response = factor.back(factor.forward(across))
            self._constant = factor.solve(right[self._free])
            self._quadratic -= across.T @ self._response
            self._linear -= across.T @ self._constant
        self._quadratic /= self._weights
        self._quadratic /= self._weights[:, None]
        self._linear /= self._weights

    def advance(self) -> None:
        """Make some sweeps, and move the model unless rounding errors raise q."""
        model = self._model
        to = np.zeros_like(model.at)
        to[self._penalized] = self._swept(model.at[self._penalized] * self._weights) / self._weights
        if len(self._free):
            to[self._free] = self._constant - self._response @ to[self._penalized]
        change, slope = self._penalty.change(model, to)
        if change < 0:
            model.move(to, slope)

    def _swept(self, start: Array) -> Array:
        """Return v after some sweeps from a starting point."""
        if not len(start):
            return start
        with _warning_filters, warnings.catch_warnings():
            # Warnings of other threads go on, as the filter is that of a single message.
            warnings.filterwarnings("ignore", "Objective did not converge", ConvergenceWarning)
            # Only the shapes of X and y count, since their products Q and c are given.
            _, path, _ = enet_path(
                np.zeros((1, len(start)), order="F"),
                np.ones(1),
                l1_ratio=1.0,
                alphas=[1.0],
                precompute=self._quadratic,
                Xy=self._linear,
                coef_init=start,
                check_input=False,
                max_iter=_SWEEPS,
                tol=0.0,
                **_OPTIONS,
            )
        swept: Array = path[:, 0]
        return swept
