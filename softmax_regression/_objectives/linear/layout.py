"""The order of W and b in the flat vector of parameters."""

from __future__ import annotations

import numpy as np

from softmax_regression._linalg.arrays import Array


class LinearLayout:
    """The flat vector is the matrix (W, b), a row for each output, row after row.

    Parameters
    ----------
    n_outputs : int
        The number of rows of W.
    n_features : int
        The number of columns of W.
    fit_intercept : bool
        Whether the model has an intercept b.

    Attributes
    ----------
    n_columns, n_params : int
        The number of columns of (W, b), and the length of the flat vector.
    n_free_outputs : int
        The number of outputs whose parameters are independent. Adding the same vector to all
        classes changes no probability, and at the minimum the parameters of all classes sum to 0.
        So the last class is left out, unless there is a single output.
    hessian_order : int
        The order of the Hessian without the last class.
    """

    def __init__(self, n_outputs: int, n_features: int, fit_intercept: bool):
        self.n_outputs = n_outputs
        self.n_features = n_features
        self.fit_intercept = fit_intercept
        self.n_columns = n_features + fit_intercept
        self.n_params = n_outputs * self.n_columns
        self.n_free_outputs = max(1, n_outputs - 1)
        self.hessian_order = self.n_free_outputs * self.n_columns

    def matrix(self, params: Array) -> Array:
        """(W, b) as a view of the flat vector."""
        return params.reshape(self.n_outputs, self.n_columns)

    def unpack(self, params: Array) -> tuple[Array, Array]:
        """W and b (empty without an intercept) as views of the flat vector."""
        matrix = self.matrix(params)
        if not self.fit_intercept:
            return matrix, np.empty(0)
        return matrix[:, :-1], matrix[:, -1]

    def pack(self, coef: Array, intercept: Array) -> Array:
        """W and b in one flat vector."""
        if not self.fit_intercept:
            return coef.ravel()
        return np.concatenate([coef, intercept[:, None]], axis=1).ravel()


def centred(matrix: Array) -> Array:
    """Return (W, b) less the mean of its rows; a single row is returned unchanged.

    Centring changes no probability and lowers the penalty. Newton steps are computed for
    differences between classes, and keep centred parameters centred.
    """
    return matrix - np.add.reduce(matrix) / len(matrix) if len(matrix) > 1 else matrix
