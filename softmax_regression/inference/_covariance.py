"""Covariances of the estimate: inverse information, and sandwiches around it.

Let A be the information and B the sum of the outer products of the scores of the rows. Then:

    nonrobust   A⁻¹
    HC0         A⁻¹ B A⁻¹
    HC1         the same times n / (n − k), with n observations and k parameters
    cluster     B of the scores summed within groups, times G / (G − 1) · (n − 1) / (n − k)

The finite-sample factors are those of statsmodels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from softmax_regression._linalg.arrays import Array
from softmax_regression.inference._information import Likelihood

WEIGHTS = ("frequency", "sampling")


def checked_groups(groups: Any, cov_type: str, n_rows: int) -> Array | None:
    """Return the group of each row as an integer code, or None without groups."""
    if (cov_type == "cluster") != (groups is not None):
        raise ValueError(
            f"groups and cov_type='cluster' go together: got cov_type={cov_type!r} and "
            f"groups={'None' if groups is None else 'an array'}."
        )
    if groups is None:
        return None
    if np.ndim(groups) != 1 or len(groups) != n_rows:
        raise ValueError(
            f"groups must name the group of each of the {n_rows} rows of X, got shape "
            f"{np.shape(groups)}."
        )
    codes, names = pd.factorize(np.asarray(groups))
    if (codes < 0).any():
        raise ValueError(
            f"groups has {int((codes < 0).sum())} missing values: leave these rows out."
        )
    if len(names) < 2:
        raise ValueError("cov_type='cluster' needs at least two groups, and finds one.")
    return codes


def sandwich(
    likelihood: Likelihood,
    u: Array,
    bread: Array,
    cov_type: str,
    *,
    nobs: float,
    groups: Array | None,
    sampling: bool,
) -> Array:
    """Return a robust covariance around an inverse information.

    Parameters
    ----------
    likelihood : Likelihood
        The likelihood of the rows.
    u : ndarray of shape (n_params,)
        The estimate.
    bread : ndarray of shape (n_params, n_params)
        The inverse information.
    cov_type : {'HC0', 'HC1', 'cluster'}
        Which robust covariance to return.
    nobs : float
        The number of observations.
    groups : ndarray of int or None
        The group of each row.
    sampling : bool
        Whether each row counts as one draw, whatever its weight.
    """
    n_params = len(bread)
    factor = 1.0
    if cov_type != "HC0" and nobs <= n_params:
        raise ValueError(
            f"cov_type={cov_type!r} divides by nobs − n_params, and there are {nobs:g} "
            f"observations for {n_params} parameters: use 'HC0', or fewer features."
        )
    if cov_type == "cluster":
        assert groups is not None
        meat = likelihood.cluster_meat(u, groups)
        weight = likelihood.targets.weight
        counted = groups if weight is None else groups[weight > 0]
        n_groups = len(np.unique(counted))
        if n_groups < 2:
            raise ValueError(
                "cov_type='cluster' needs rows of positive weight in at least two groups."
            )
        factor = n_groups / (n_groups - 1) * (nobs - 1) / (nobs - n_params)
    else:
        meat = likelihood.meat(u, squared_weights=sampling)
        factor = nobs / (nobs - n_params) if cov_type == "HC1" else 1.0
    product = bread @ meat @ bread
    return factor * 0.5 * (product + product.T)
