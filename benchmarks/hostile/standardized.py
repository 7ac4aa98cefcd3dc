"""The objective of a hostile problem in the coordinates in which it is minimised once more."""

from dataclasses import dataclass

import numpy as np

from benchmarks.hostile.objective import Objective, cross_entropy
from benchmarks.hostile.problems import Extended

_LARGEST_FLOAT = 1e300

Point = tuple[np.ndarray, np.ndarray]  # coefficients and intercepts


@dataclass
class Slopes:
    """The value at some unknowns, and what derivatives need."""

    value: float
    gradient: np.ndarray
    p: np.ndarray


class Standardized:
    """The objective in units of a value, as a function of coefficients of standardised columns.

    The unknowns are a matrix of a row for each output, with the intercepts, if there are any, in
    its last column.
    """

    def __init__(self, objective: Objective, unit: np.longdouble, dtype: type = np.float64):
        self._objective = objective
        self.dtype = np.dtype(dtype)
        X = objective.X
        self._centre = X.mean(axis=0) if objective.fit_intercept else np.zeros(X.shape[1], Extended)
        centred = X - self._centre
        self._scales = np.sqrt(np.square(np.abs(centred).max(axis=0)) + objective.l2)
        self._scales[self._scales == 0] = 1
        columns = centred / self._scales
        if objective.fit_intercept:
            columns = np.hstack([columns, np.ones((len(X), 1))])
        self.columns = columns.astype(dtype)
        self.targets = objective.targets.astype(dtype)
        self.weight = self._rounded(objective.weight / unit)
        self.l1 = self._per_column(objective.l1 / unit / self._scales, 0.0)
        self.l2 = self._per_column(objective.l2 / unit / self._scales**2, 0.0)
        self.lower = self._per_column(objective.lower * self._scales, -np.inf)
        self.upper = self._per_column(objective.upper * self._scales, np.inf)
        self.grouped = objective.grouped and objective.l1 > 0
        self.shape = objective.n_outputs, self.columns.shape[1]

    def _per_column(self, values: np.ndarray, intercept: float) -> np.ndarray:
        """Round values of coefficients, and add one for the intercept."""
        if self._objective.fit_intercept:
            last = np.full((*values.shape[:-1], 1), intercept)
            values = np.concatenate([values, last], axis=-1)
        return self._rounded(values)

    def _rounded(self, values: np.ndarray) -> np.ndarray:
        """Round to the precision, finite numbers to finite ones."""
        finite = np.isfinite(values) & (self.dtype != Extended)
        clipped = np.clip(values, -_LARGEST_FLOAT, _LARGEST_FLOAT)
        return np.where(finite, clipped, values).astype(self.dtype)

    def unknowns(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Return the unknowns of a model."""
        coef, intercept = np.asarray(coef, Extended), np.asarray(intercept, Extended)
        unknowns = coef * self._scales
        if self._objective.fit_intercept:
            unknowns = np.hstack([unknowns, (intercept + coef @ self._centre)[:, None]])
        return np.clip(self._rounded(unknowns), self.lower, self.upper)

    def model(self, unknowns: np.ndarray) -> Point:
        """Return coefficients, exactly within their bounds, and intercepts."""
        unknowns = unknowns.astype(Extended)
        coef = unknowns[:, : len(self._scales)] / self._scales
        coef = np.clip(coef, self._objective.lower, self._objective.upper)
        intercept = np.zeros(len(coef), Extended)
        if self._objective.fit_intercept:
            intercept = unknowns[:, -1] - coef @ self._centre
        return coef, intercept

    @property
    def bounded_columns(self) -> np.ndarray:
        """Which columns have bounds."""
        return (np.isfinite(self.lower) | np.isfinite(self.upper)).any(axis=0)

    def value(self, unknowns: np.ndarray) -> float:
        """Return the value."""
        return self.slopes(unknowns).value

    def slopes(self, unknowns: np.ndarray) -> Slopes:
        """Return the value, and the gradient of all but the l1 penalty."""
        losses, slopes, p = cross_entropy(self.columns @ unknowns.T, self.targets)
        slopes = slopes[:, -self.shape[0] :]
        gradient = (self.weight[:, None] * slopes).T @ self.columns + self.l2 * unknowns
        sizes = norms(unknowns) if self.grouped else np.abs(unknowns)
        penalty = 0.5 * (self.l2 * np.square(unknowns)).sum() + (self.l1 * sizes).sum()
        return Slopes(self.weight @ losses + penalty, gradient, p)

    def hessian_product(self, p: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Return the product of the Hessian, without an l1 penalty, and a direction."""
        p = p[:, -self.shape[0] :]
        along = p * (self.columns @ direction.T)
        curved = along - p * along.sum(axis=1, keepdims=True)
        return (self.weight[:, None] * curved).T @ self.columns + self.l2 * direction

    def hessian(self, unknowns: np.ndarray, p: np.ndarray) -> np.ndarray:
        """Return the Hessian, of an l1 penalty that of the norms of groups that are not 0."""
        n_outputs, width = self.shape
        hessian = np.empty((n_outputs, width, n_outputs, width), self.dtype)
        first, rest = p.shape[1] - n_outputs, _complements(p)
        for k in range(n_outputs):
            for m in range(k + 1):
                factor = rest[:, first + k] if k == m else -p[:, first + m]
                curvature = self.weight * p[:, first + k] * factor
                block = (self.columns * curvature[:, None]).T @ self.columns
                hessian[k, :, m], hessian[m, :, k] = block, block
            hessian[k, :, k] += np.diag(self.l2)
        if n_outputs > 1:
            # What all classes share changes nothing there, and must not make it singular.
            for j in np.flatnonzero((self.l2 == 0) & (self.l1 == 0) & ~self.bounded_columns):
                hessian[:, j, :, j] += np.trace(hessian[:, j, :, j]) / n_outputs
        if self.grouped:
            sizes = norms(unknowns)
            for j in np.flatnonzero((sizes > 0) & (self.l1 > 0)):
                unit = unknowns[:, j] / sizes[j]
                across = np.eye(n_outputs) - np.outer(unit, unit)
                hessian[:, j, :, j] += self.l1[j] / sizes[j] * across
        return hessian.reshape(n_outputs * width, -1)


def norms(unknowns: np.ndarray) -> np.ndarray:
    """Return the norm of each column, in any precision."""
    return np.sqrt(np.square(unknowns).sum(axis=0))


def _complements(p: np.ndarray) -> np.ndarray:
    """Return 1 − p, small ones to all their digits."""
    rows, best = np.arange(len(p)), p.argmax(axis=1)
    others = p.copy()
    others[rows, best] = 0
    rest = 1 - p
    rest[rows, best] = others.sum(axis=1)
    return rest
