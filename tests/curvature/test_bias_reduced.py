"""The objective of bias reduction, compared with finite differences and plain determinants."""

import numpy as np
import pytest

from softmax_regression._curvature.bias_reduced import BiasReducedCrossEntropy
from softmax_regression._data.make import as_design
from softmax_regression._estimators.targets import encode_targets
from softmax_regression._problems.specification import Specification

CASES = {
    "2 classes": (2, True, False, 1),
    "2 classes, weights": (2, True, True, 1),
    "3 classes, no intercept": (3, False, False, 1),
    "4 classes, weights": (4, True, True, 1),
    "6 classes, many blocks": (6, True, True, 40),
}


def made(n_classes, fit_intercept, weighted, repeats):
    rng = np.random.default_rng(n_classes)
    n_rows = 50
    X = np.repeat(rng.normal(size=(n_rows, 3)) + 2, repeats, axis=0)
    y = np.repeat(np.append(np.arange(n_classes), rng.integers(n_classes, size=n_rows)), repeats)
    weight = np.repeat(rng.integers(0, 4, n_rows).astype(float), repeats) if weighted else None
    design = as_design(X)
    targets = encode_targets(
        y[: len(X)],
        len(X),
        classes=None,
        sample_weight=weight,
        class_weight=None,
        estimator="",
    )
    base = Specification(fit_intercept).objective(design, targets, np.inf)
    total = float(targets.total_weight)
    objective = BiasReducedCrossEntropy(base.standardized(), 1 / total)
    params = objective.smooth.centred(rng.normal(size=objective.n_params))
    return X, y[: len(X)], weight, objective, params, total


@pytest.mark.parametrize("case", CASES)
def test_the_adjusted_score_is_that_of_finite_differences(case):
    *_, objective, params, _ = made(*CASES[case])
    step = 1e-5
    slopes = [
        (objective.evaluate(params + d).value - objective.evaluate(params - d).value) / (2 * step)
        for d in step * np.eye(len(params))
    ]
    np.testing.assert_allclose(objective.evaluate(params).gradient, slopes, atol=1e-8)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("reference", [0, -1])
def test_the_prior_is_half_the_logarithm_of_the_determinant(case, reference):
    """Row by row, in the coordinates of X, and for differences from either class."""
    X, y, weight, objective, params, total = made(*CASES[case])
    smooth = objective.smooth
    coef, intercept = smooth.to_model(params)
    rows = np.column_stack([X, np.ones(len(X))]) if smooth.fit_intercept else X
    matrix = np.column_stack([coef, intercept]) if smooth.fit_intercept else coef
    if len(matrix) == 1:
        matrix = np.vstack([np.zeros_like(matrix), matrix])
    scores = rows @ matrix.T
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    weight = np.ones(len(X)) if weight is None else weight
    k = len(matrix)
    free = np.delete(np.arange(k), reference)
    information, bound = 0.0, 0.0
    for row, q, s in zip(rows, p, weight, strict=True):
        spread = np.diag(q) - np.outer(q, q)
        information = information + s * np.kron(spread[np.ix_(free, free)], np.outer(row, row))
        bound = bound + s * np.kron(0.5 * (np.eye(k - 1) - 1 / k), np.outer(row, row))
    loss = -weight @ np.log(p[np.arange(len(y)), y])
    fall = np.linalg.slogdet(bound)[1] - np.linalg.slogdet(information)[1]
    assert fall > 0
    found = objective.evaluate(params).value * total
    assert found == pytest.approx(loss + 0.5 * fall, rel=1e-10)


def test_it_is_infinite_where_the_information_vanishes():
    *_, objective, params, _ = made(*CASES["4 classes, weights"])
    assert np.isfinite(objective.evaluate(100 * params).value)
    at = objective.evaluate(1e6 * params)
    assert at.value == np.inf
    assert at.factor is None
