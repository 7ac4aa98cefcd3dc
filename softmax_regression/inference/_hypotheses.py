"""Tests of linear hypotheses, and tests of features over all classes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.linalg import eigh
from scipy.stats import chi2

from softmax_regression._linalg.arrays import Array
from softmax_regression.inference._information import Likelihood
from softmax_regression.inference._newton import factored, maximize

# Hypotheses are dependent in directions in which the eigenvalue of the correlation matrix is a
# smaller fraction of the largest one.
_MIN_RELATIVE_EIGENVALUE = 1e-11


class WaldTest(NamedTuple):
    """The result of a test by χ².

    Parameters
    ----------
    statistic : float
        The statistic, which follows χ² if the hypotheses hold.
    df : int
        The degrees of freedom, which are the number of independent hypotheses.
    pvalue : float
        The probability of a larger statistic if the hypotheses hold.
    """

    statistic: float
    df: int
    pvalue: float


def hypothesis_matrix(hypotheses: Any, index: pd.MultiIndex) -> Array:
    """Return a row of coefficients for each hypothesis, from any form that users may pass."""
    if isinstance(hypotheses, Mapping):
        hypotheses = [hypotheses]
    if isinstance(hypotheses, pd.DataFrame | pd.Series):
        hypotheses = hypotheses.to_numpy()
    if len(hypotheses) and isinstance(hypotheses[0], Mapping):
        rows = np.zeros((len(hypotheses), len(index)))
        for i, hypothesis in enumerate(hypotheses):
            for label, factor in hypothesis.items():
                if label not in index:
                    raise ValueError(
                        f"The hypothesis names {label!r}, and a parameter is named by its class "
                        f"and its feature: {', '.join(map(str, index[:3]))}, …."
                    )
                rows[i, index.get_loc(label)] += factor
        return rows
    rows = np.atleast_2d(np.asarray(hypotheses, dtype=np.float64))
    if rows.ndim != 2 or rows.shape[1] != len(index):
        raise ValueError(
            f"hypotheses must have {len(index)} columns, one for each parameter in the order of "
            f"cov_params(), got shape {rows.shape}."
        )
    return rows


def wald(estimate: Array, covariance: Array) -> WaldTest:
    """Test whether all given estimates are 0."""
    roots = np.sqrt(covariance.diagonal())
    roots = np.where(roots > 0, roots, 1.0)
    values, vectors = eigh(covariance / roots / roots[:, None])
    kept = values > _MIN_RELATIVE_EIGENVALUE * values.max()
    coordinates = vectors.T @ (estimate / roots)
    size = float(np.linalg.norm(estimate / roots))
    if (np.abs(coordinates[~kept]) > 1e-6 * max(size, 1.0)).any():
        raise ValueError("The hypotheses contradict each other, or the values are not possible.")
    statistic = float(np.sum(coordinates[kept] ** 2 / values[kept]))
    df = int(kept.sum())
    return WaldTest(statistic, df, float(chi2.sf(statistic, df)))


def checked_terms(terms: Any, names: Sequence[Any]) -> dict[Any, list[int]]:
    """Return the indices of the columns of each term."""
    if terms is None:
        terms = list(names)
    if not isinstance(terms, Mapping):
        terms = {term: [term] for term in ([terms] if isinstance(terms, str) else terms)}
    return {term: [column_of(c, names) for c in as_columns(cs)] for term, cs in terms.items()}


def as_columns(columns: Any) -> list[Any]:
    """Return columns as a list, also if a single one is given."""
    return [columns] if isinstance(columns, str) or np.ndim(columns) == 0 else list(columns)


def column_of(name: Any, names: Sequence[Any]) -> int:
    """Return the column index of a feature."""
    found = [j for j, known in enumerate(names) if known == name]
    if not found:
        raise ValueError(
            f"There is no feature {name!r}: features are {', '.join(map(str, names))}."
        )
    return found[0]


def term_test(
    likelihood: Likelihood, u: Array, covariance: Array, value: float, columns: list[int], how: str
) -> WaldTest:
    """Test whether the coefficients of some columns are 0 in all classes.

    Parameters
    ----------
    likelihood : Likelihood
        The likelihood of the rows.
    u : ndarray of shape (n_params,)
        The maximum likelihood estimate.
    covariance : ndarray of shape (n_params, n_params)
        The covariance of the estimate.
    value : float
        The negative log-likelihood F at the estimate.
    columns : list of int
        The indices of the columns of X.
    how : {'wald', 'lr', 'score'}
        Which of the three tests to use.
    """
    within = np.zeros((likelihood.n_classes - 1, likelihood.width), dtype=bool)
    within[:, columns] = True
    tested = within.ravel()
    if how == "wald":
        return wald(u[tested], covariance[np.ix_(tested, tested)])
    # The search starts at the restricted minimum of the quadratic model of F.
    of_tested = factored(covariance[np.ix_(tested, tested)])
    start = u - covariance[:, tested] @ of_tested.solve(u[tested])
    start[tested] = 0.0
    restricted = maximize(likelihood, start, np.eye(len(u))[:, ~tested])
    if how == "lr":
        statistic = 2 * (restricted.value - value)
    else:
        at = likelihood.evaluate(restricted.u)
        statistic = float(at.gradient @ factored(at.information).solve(at.gradient))
    df = int(tested.sum())
    return WaldTest(max(statistic, 0.0), df, float(chi2.sf(statistic, df)))
