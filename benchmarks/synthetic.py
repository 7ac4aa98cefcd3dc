"""A synthetic problem of any size, whose difficulty does not depend on the size."""

import numpy as np

_APART = 2.0  # standard deviations between the centres of two classes, so that all overlap


def mixture(n_rows: int, n_columns: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows from Gaussians about random centres, one for each class.

    Classes that overlap have a minimum with finite weights even without a penalty: that is where
    the solution goes as rows are added, and more of them make it no harder to find.
    """
    rng = np.random.default_rng(0)
    centres = rng.normal(0, _APART / np.sqrt(2 * n_columns), (n_classes, n_columns))
    y = rng.integers(n_classes, size=n_rows)
    X = rng.standard_normal((n_rows, n_columns))
    for label, centre in enumerate(centres):
        X[y == label] += centre
    return X, y


def homogeneous(n_rows: int, n_columns: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows from one Gaussian, and labels from a softmax model that tells them nearly apart."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_columns))
    scores = X @ rng.standard_normal((n_columns, n_classes))
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    return X, y
