r"""Marginal effects of features on probabilities, with standard errors by the delta method.

With p = softmax(s), scores s_k = u_k z and coefficients β, the effect of x_j on class k is

    ∂p_k/∂x_j = p_k (β_kj − η_j),    η_j = Σ_l p_l β_lj

or, for a column of zeros and ones, p_k(x_j = 1) − p_k(x_j = 0). The effect depends on the unknowns
through the scores and through β, with the derivatives

    ∂/∂s_m  = p_k (δ_km − p_m)(β_kj − η_j) − p_k p_m (β_mj − η_j)
    ∂/∂β_mj = p_k (δ_km − p_m)

(Greene, *Econometric Analysis*, section 18.2.) Effects on the relative change of the
probability are divided by p_k; effects per relative change of the feature are multiplied by x_j.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from softmax_regression._linalg.arrays import Array
from softmax_regression.inference._hypotheses import as_columns, column_of
from softmax_regression.inference._information import Likelihood
from softmax_regression.inference._quantile import quantile

AT = ("overall", "mean", "median")
METHODS = ("dydx", "eyex", "dyex", "eydx")


@dataclass(frozen=True)
class Step:
    """A discrete change of some columns from given values to other values.

    Parameters
    ----------
    name : object
        The name of the effect.
    columns : list of int
        The indices of the columns.
    before, after : list of float
        The values of the columns before and after the change.
    """

    name: Any
    columns: list[int]
    before: list[float]
    after: list[float]


@dataclass(frozen=True, eq=False)
class MarginalEffects:
    """Marginal effects with standard errors, as `InferenceResults.get_margeff` returns them.

    Parameters
    ----------
    margeff : DataFrame of shape (n_effects, n_classes)
        The effects, with a row for each feature or level of a group. With `method` 'dydx' or 'dyex'
        they sum to 0 over classes.
    cov_margeff : ndarray of shape (n_effects * n_classes, n_effects * n_classes)
        The covariance of the effects by the delta method, in the order of the rows of `margeff`.
        The rows of X are treated as fixed.
    at, method : str
        The options of `get_margeff` with which the effects were computed.
    """

    margeff: pd.DataFrame
    cov_margeff: Array
    at: str
    method: str

    def _frame(self, values: Any) -> pd.DataFrame:
        return pd.DataFrame(values, index=self.margeff.index, columns=self.margeff.columns)

    @property
    def margeff_se(self) -> pd.DataFrame:
        """The standard errors of the effects, in the shape of `margeff`."""
        roots = np.sqrt(np.maximum(self.cov_margeff.diagonal(), 0.0))
        return self._frame(roots.reshape(self.margeff.shape))

    @property
    def tvalues(self) -> pd.DataFrame:
        """The effects divided by their standard errors."""
        return self.margeff / self.margeff_se

    @property
    def pvalues(self) -> pd.DataFrame:
        """The two-sided p-values of the normal distribution."""
        return self._frame(2 * norm.sf(np.abs(self.tvalues)))

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return confidence intervals, with a row for each class and feature.

        Parameters
        ----------
        alpha : float, default=0.05
            One minus the confidence.

        Returns
        -------
        DataFrame
            The intervals, in columns 'lower' and 'upper'.
        """
        frame = self.summary_frame(alpha).set_index(["class", "feature"])
        return frame[["lower", "upper"]]

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return a table with a row for each class and feature.

        Parameters
        ----------
        alpha : float, default=0.05
            One minus the confidence of the intervals.

        Returns
        -------
        DataFrame
            A table with columns 'class', 'feature', the effect under the name of its method,
            'std err', 'z', 'P>|z|', 'lower', 'upper'.

        Raises
        ------
        ValueError
            If alpha is not between 0 and 1.
        """
        reach = quantile(alpha) * self.margeff_se
        parts = {
            self.method: self.margeff,
            "std err": self.margeff_se,
            "z": self.tvalues,
            "P>|z|": self.pvalues,
            "lower": self.margeff - reach,
            "upper": self.margeff + reach,
        }
        n_effects, n_classes = self.margeff.shape
        labels = {
            "class": np.repeat(self.margeff.columns.to_numpy(), n_effects),
            "feature": np.tile(self.margeff.index.to_numpy(), n_classes),
        }
        columns = {name: part.to_numpy().T.ravel() for name, part in parts.items()}
        return pd.DataFrame(labels | columns)

    def __str__(self) -> str:
        return self.summary_frame().to_string(index=False, float_format="{:.4f}".format)


def marginal_effects(
    likelihood: Likelihood,
    u: Array,
    covariance: Array,
    names: list[Any],
    *,
    at: str,
    method: str,
    discrete: Any,
) -> MarginalEffects:
    """Return the effects of all features; see `InferenceResults.get_margeff`."""
    if at not in AT or method not in METHODS:
        raise ValueError(
            f"at must be one of {', '.join(AT)} and method one of {', '.join(METHODS)}, got "
            f"at={at!r} and method={method!r}."
        )
    steps = _steps(discrete, likelihood, names)
    stepped = {column for step in steps for column in step.columns}
    smooth = [j for j in range(len(names)) if j not in stepped]
    effects = _Effects(likelihood, u, smooth, steps, method)
    for X, weights, offset in _rows_at(likelihood, at):
        effects.add(X, weights, offset)
    values, jacobian = effects.averages()
    order = np.argsort([*smooth, *(_place(step) for step in steps)], kind="stable")
    called = [*(names[j] for j in smooth), *(step.name for step in steps)]
    k, q = likelihood.n_classes, len(u)
    values, jacobian = values[order], jacobian[order].reshape(-1, q)
    frame = pd.DataFrame(
        values.reshape(-1, k),
        index=pd.Index([called[i] for i in order], name="feature"),
        columns=pd.Index(likelihood.classes, name="class"),
    )
    return MarginalEffects(frame, jacobian @ covariance @ jacobian.T, at, method)


def _place(step: Step) -> int:
    """Return the column whose place a step takes in the table: the first that it changes."""
    changed = [c for c, b, a in zip(step.columns, step.before, step.after, strict=True) if a != b]
    return changed[0]


def _steps(discrete: Any, likelihood: Likelihood, names: list[Any]) -> list[Step]:
    """Return the discrete changes that the option `discrete` asks for."""
    if discrete is None:
        return []
    if isinstance(discrete, str) and discrete == "auto":
        return [Step(names[j], [j], [0.0], [1.0]) for j in _zeros_and_ones(likelihood)]
    groups = discrete if isinstance(discrete, Mapping) else {name: name for name in discrete}
    steps = []
    grouped: set[int] = set()
    for columns in groups.values():
        numbers = [column_of(c, names) for c in as_columns(columns)]
        grouped.update(numbers)
        base = [0.0] * len(numbers)
        for place, number in enumerate(numbers):
            after = [float(i == place) for i in range(len(numbers))]
            steps.append(Step(names[number], numbers, base, after))
    if isinstance(discrete, Mapping):
        others = [j for j in _zeros_and_ones(likelihood) if j not in grouped]
        steps += [Step(names[j], [j], [0.0], [1.0]) for j in others]
    return steps


def _zeros_and_ones(likelihood: Likelihood) -> list[int]:
    """Return the columns that are 0 or 1 in all rows of positive weight."""
    only = np.ones(likelihood.design.n_columns, dtype=bool)
    for rows in likelihood.blocks(likelihood.design.n_columns):
        X = likelihood.design[rows].toarray()[likelihood.row_weights(rows) > 0]
        only &= ((X == 0) | (X == 1)).all(axis=0)
    return [int(j) for j in np.flatnonzero(only & likelihood.varies)]


def _rows_at(likelihood: Likelihood, at: str) -> Iterator[tuple[Array, Array, Array]]:
    """Yield blocks of rows, weights and known scores: all rows, or their mean or median row."""
    if at != "overall":
        yield middle(likelihood, at)[None], np.ones(1), likelihood.mean_offset()
        return
    k, d = likelihood.n_classes, likelihood.design.n_columns
    for rows in likelihood.blocks(k * k * d):
        yield likelihood.counted(rows)


def middle(likelihood: Likelihood, at: str) -> Array:
    """Return the weighted means or medians of the columns of X."""
    design = likelihood.design
    weights = likelihood.row_weights(slice(0, design.n_rows))
    if at == "mean":
        total = np.zeros(design.n_columns)
        for rows in likelihood.blocks(design.n_columns):
            counted = weights[rows] > 0
            total += weights[rows][counted] @ design[rows].toarray()[counted]
        return total / weights.sum()
    columns = (design.select(np.array([j])).toarray()[:, 0] for j in range(design.n_columns))
    return np.array([_weighted_median(column, weights) for column in columns])


def _weighted_median(values: Array, weights: Array) -> float:
    """Return the weighted median: that of values repeated as often as their weights."""
    order = np.argsort(values, kind="stable")
    totals = np.cumsum(weights[order])
    half = 0.5 * totals[-1]
    low = values[order[np.searchsorted(totals, half * (1 - 1e-12))]]
    high = values[order[min(np.searchsorted(totals, half, side="right"), len(order) - 1)]]
    return float(0.5 * (low + high))


class _Effects:
    """Weighted sums over rows of effects and of their derivatives in the unknowns."""

    def __init__(
        self, likelihood: Likelihood, u: Array, smooth: list[int], steps: list[Step], method: str
    ):
        self._likelihood, self._u = likelihood, u
        self._smooth, self._steps = smooth, steps
        self._relative, self._elastic = method.startswith("ey"), method.endswith("ex")
        k, width = likelihood.n_classes, likelihood.width
        n_columns = likelihood.design.n_columns
        self._scales = likelihood.coordinates.scales
        coefficients = u.reshape(k - 1, width)[:, :n_columns] / self._scales
        self._beta = np.vstack([coefficients, np.zeros(n_columns)])
        n_effects = len(smooth) + len(steps)
        self._weight = 0.0
        self._values = np.zeros((n_effects, k))
        self._jacobian = np.zeros((n_effects, k, k - 1, width))

    def add(self, X: Array, weights: Array, offset: Array) -> None:
        """Add some rows to the sums."""
        self._weight += float(weights.sum())
        if self._smooth:
            self._add_smooth(X, weights, offset)
        for number, step in enumerate(self._steps):
            self._add_step(len(self._smooth) + number, step, X, weights, offset)

    def averages(self) -> tuple[Array, Array]:
        """Return the weighted averages of effects and of their derivatives."""
        return self._values / self._weight, self._jacobian / self._weight

    def _add_smooth(self, X: Array, weights: Array, offset: Array) -> None:
        k, smooth = self._likelihood.n_classes, np.array(self._smooth)
        z = self._likelihood.rows(X)
        p = self._likelihood.probabilities(self._u, z, offset)
        lead = self._beta[:, smooth, None] - np.einsum("kn,kj->jn", p, self._beta[:, smooth])
        factor = (
            weights * X[:, smooth].T
            if self._elastic
            else np.broadcast_to(weights, (len(smooth), len(weights)))
        )
        # The derivatives in the scores have the axes (class, class of the derivative, feature,
        # row); those in β are the same for all features.
        share = np.eye(k)[:, :, None] - p
        in_scores = -(p[:, None] * lead)[None]
        in_scores = np.repeat(in_scores, k, axis=0)
        if not self._relative:
            in_scores += share[:, :, None] * lead[:, None]
            in_scores *= p[:, None, None]
            share = share * p[:, None]
            lead = lead * p[:, None]
        n = len(smooth)
        self._values[:n] += np.einsum("kjn,jn->jk", lead, factor)
        flat = (in_scores[:, :-1] * factor).reshape(-1, z.shape[1]) @ z.T
        jacobian = flat.reshape(k, k - 1, n, -1).transpose(2, 0, 1, 3)
        direct = np.einsum("kmn,jn->jkm", share[:, :-1], factor) / self._scales[smooth, None, None]
        self._jacobian[:n] += jacobian
        self._jacobian[np.arange(n), :, :, smooth] += direct

    def _add_step(self, number: int, step: Step, X: Array, weights: Array, offset: Array) -> None:
        k = self._likelihood.n_classes
        for values, sign in ((step.after, 1.0), (step.before, -1.0)):
            moved = X.copy()
            moved[:, step.columns] = values
            z = self._likelihood.rows(moved)
            p = self._likelihood.probabilities(self._u, z, offset)
            share = np.eye(k)[:, :-1, None] - p[:-1]
            level = np.log(p) if self._relative else p
            if not self._relative:
                share = share * p[:, None]
            self._values[number] += sign * (level @ weights)
            self._jacobian[number] += sign * (share * weights) @ z.T
