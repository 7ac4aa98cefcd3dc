"""Another storage of the rows: X in several files, of which one at a time is read.

The storage is defined here, without a change to any file of the package. The objective, its
derivatives, its Hessians and whole fits must be those of the same rows in memory.
"""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from zoo import Problem, draw_params, hessian_product, optimality_gap, value_and_gradient, variants

from softmax_regression._curvature.chosen_entries import hessian_of
from softmax_regression._curvature.class_blocks import BlockFactor
from softmax_regression._curvature.diagonal import Diagonal
from softmax_regression._curvature.full_hessian import HessianFactor
from softmax_regression._curvature.kronecker import KroneckerFactor
from softmax_regression._curvature.preconditioner import HessianPreconditioner
from softmax_regression._curvature.schedule import HessianSchedule
from softmax_regression._curvature.woodbury import WoodburyFactor
from softmax_regression._data.dataset import Block, Dataset, RowBlocks
from softmax_regression._data.make import as_design
from softmax_regression._data.sums import Sample, add_up
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.newton_dual import newton_dual
from softmax_regression._objectives.linear.null_model import null_slopes
from softmax_regression._problems.bounded import BoundedProblem
from softmax_regression._problems.smooth import SOLVERS
from softmax_regression._problems.smooth import Problem as SmoothProblem
from softmax_regression._problems.sparse import SPARSE_SOLVER, SparseProblem
from softmax_regression._solvers.criteria import RelativeGap
from softmax_regression._solvers.result import StopReason

KINDS = {
    "n_classes": [2, 3],
    "soft": [False, True],
    "weighted": [False, True],
    "fit_intercept": [False, True],
}

every_problem = pytest.mark.parametrize("problem", variants(**KINDS))


class NpyBlocks(RowBlocks):
    """Rows of X in .npy files, a block in each; targets and weights are in memory.

    Kernels and their parameters go through pickle, as if they were sent to another process.
    """

    def __init__(self, paths, losses, columns=None, dtype=None):
        self.paths, self.losses, self.columns = paths, losses, columns
        first = np.load(paths[0], mmap_mode="r")
        self.n_columns = first.shape[1] if columns is None else len(columns)
        self.n_rows = sum(loss.n_rows for loss in losses)
        self.n_outputs, self.n_classes = losses[0].n_outputs, losses[0].n_classes
        self._stored = first.dtype
        self.dtype = np.dtype(dtype or first.dtype)
        self.design = self  # whoever chooses a problem asks for shapes alone

    n_values = property(lambda self: self.n_rows * self.n_columns)
    stored_dtype = property(lambda self: self._stored)

    @property
    def class_shares(self):
        weights = [loss.row_weights(slice(None)).sum() for loss in self.losses]
        return np.average([loss.class_shares for loss in self.losses], axis=0, weights=weights)

    def map_reduce(self, kernel, params=None, *, width=1, kept=None, reduce=add_up):
        sent, results, first = pickle.dumps((kernel, params)), [], 0
        for i, (design, loss) in enumerate(self._blocks()):
            of_block = None if kept is None else kept[i]
            block = Block(design, loss, design.blocks(width), first, of_block)
            received, arguments = pickle.loads(sent)
            results.append(received(block, arguments))
            first += loss.n_rows
        return reduce(results)

    def values_of_rows(self, n_values, dtype):
        return [np.empty((n_values, loss.n_rows), dtype) for loss in self.losses]

    def take(self, sample):
        whole = np.concatenate([design.X for design, _ in self._blocks()])[sample.rows]
        targets = np.concatenate([loss.targets for loss in self.losses], axis=-1)
        weight = sample.factor
        if self.losses[0].weight is not None:
            weight = weight * np.concatenate([loss.weight for loss in self.losses])[sample.rows]
        loss = self.losses[0]._of_rows(targets[..., sample.rows], weight)
        return Dataset(as_design(whole).astype(self.dtype), loss)

    def astype(self, dtype):
        other = NpyBlocks(self.paths, self.losses, self.columns, dtype)
        other._moments = self._moments
        return other

    def select(self, columns):
        columns = columns if self.columns is None else self.columns[columns]
        return NpyBlocks(self.paths, self.losses, columns, self.dtype)

    def _blocks(self):
        for path, loss in zip(self.paths, self.losses, strict=True):
            X = np.load(path)
            yield (
                as_design(X if self.columns is None else X[:, self.columns]).astype(self.dtype),
                loss,
            )


@pytest.fixture
def stored(tmp_path):
    """Makes the objective of a problem's rows in five files, none of them of the same length."""

    def make(problem):
        loss, X = problem.loss(), problem.X
        cuts = [0, 1, 4, 12, problem.n_rows // 2, problem.n_rows]
        paths, losses = [], []
        for i, (a, b) in enumerate(pairwise(cuts)):
            paths.append(tmp_path / f"{i}.npy")
            np.save(paths[-1], X[a:b])
            losses.append(loss.take(slice(a, b)))
        data = NpyBlocks(paths, losses)
        return LinearCrossEntropy.of_rows(data, problem.l2, problem.fit_intercept)

    return make


@every_problem
@pytest.mark.parametrize("standardised", [False, True])
def test_value_derivatives_and_certificate_are_those_in_memory(problem, standardised, stored):
    here, there = problem.linear(), stored(problem)
    if standardised:
        here, there = here.standardized(), there.standardized()
    params, direction = draw_params(here), draw_params(here, seed=1)
    value, gradient = value_and_gradient(there, params)
    expected_value, expected_gradient = value_and_gradient(here, params)
    assert value == pytest.approx(expected_value, rel=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-12)
    np.testing.assert_allclose(
        hessian_product(there, params, direction),
        hessian_product(here, params, direction),
        atol=1e-11,
    )
    for name, arguments, kept in (
        ("largest_change", (direction,), 1e-11),
        ("separates", (params,), 0),
    ):
        np.testing.assert_allclose(
            getattr(there, name)(*arguments), getattr(here, name)(*arguments), atol=kept
        )
    gap = optimality_gap(there, params, value, gradient)
    assert gap == pytest.approx(optimality_gap(here, params, value, gradient), rel=1e-8)
    np.testing.assert_allclose(null_slopes(there), null_slopes(here), atol=1e-12)
    for found, expected in zip(
        *(newton_dual(objective, params, direction) for objective in (there, here)), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-11)


@every_problem
def test_hessians_are_those_in_memory(problem, stored):
    here, there = problem.linear().standardized(), stored(problem).standardized()
    params, gradient = draw_params(here), here.centred(draw_params(here, seed=1))
    kinds = [HessianFactor, BlockFactor, KroneckerFactor, Diagonal, WoodburyFactor]
    for kind in kinds[: 5 if problem.n_classes > 2 else 2]:
        np.testing.assert_allclose(
            kind(there, params).solve(gradient),
            kind(here, params).solve(gradient),
            rtol=1e-8,
            atol=1e-9,
        )
    chosen = np.random.default_rng(0).random((here.width, here.n_columns)) < 0.6
    np.testing.assert_allclose(
        hessian_of(there, params, chosen), hessian_of(here, params, chosen), atol=1e-12
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_each_block_draws_the_rows_that_would_be_drawn_in_memory(n_classes, stored):
    problem = Problem(n_rows=3001, n_classes=n_classes, weighted=True)
    here, there = problem.linear().standardized(), stored(problem).standardized()
    params = draw_params(here)
    one, other = (HessianPreconditioner(o).draw(params, 400) for o in (here, there))
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_allclose(one.factor, other.factor, rtol=1e-5)
    solutions = [HessianFactor(o, params, one).solve(params) for o in (here, there)]
    np.testing.assert_allclose(*solutions, rtol=1e-8)
    everything = Sample(np.arange(3001), np.ones(3001))
    np.testing.assert_allclose(
        HessianFactor(there, params, everything).solve(params),
        HessianFactor(here, params).solve(params),
        rtol=1e-8,
    )


def solved(problem, solver, base):
    result = problem.minimize(
        solver,
        [problem.from_model(*base.null_model())],
        criterion=RelativeGap(),
        tol=1e-9,
        max_iter=1000,
    )
    assert result.reason is StopReason.CONVERGED
    assert result.remaining <= 1e-9
    return *problem.to_model(result.params), result.value


@pytest.mark.parametrize("solver", sorted(SOLVERS))
@pytest.mark.parametrize("problem", variants(**KINDS))
def test_whole_fits_are_those_in_memory(problem, solver, stored):
    ends = [solved(SmoothProblem(b), solver, b) for b in (problem.linear(), stored(problem))]
    for found, expected in zip(*ends, strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-4)
    assert ends[0][2] == pytest.approx(ends[1][2], rel=1e-9)


def test_whole_fits_with_hessians_of_some_rows_are_those_in_memory(stored, monkeypatch):
    monkeypatch.setattr("softmax_regression._curvature.schedule._CALLS_MULTIPLICATIONS", 0)
    monkeypatch.setattr("softmax_regression._curvature.schedule._COSTLY_EVALUATIONS", 0)
    problem = Problem(n_rows=2000, n_classes=3)
    base = stored(problem)
    assert HessianSchedule(base.standardized())._rows is not None
    ends = [solved(SmoothProblem(b), "newton-cholesky", b) for b in (problem.linear(), base)]
    assert ends[0][2] == pytest.approx(ends[1][2], rel=1e-9)


@pytest.mark.parametrize(("grouping", "l1"), [("none", 0.02), ("features", 0.1), ("none", 1.0)])
def test_sparse_fits_are_those_in_memory(grouping, l1, stored):
    problem = Problem(n_classes=3, weighted=True)
    ends = [
        solved(SparseProblem(base, l1, grouping), SPARSE_SOLVER, base)
        for base in (problem.linear(), stored(problem))
    ]
    assert (ends[0][0] == 0).any()
    np.testing.assert_array_equal(ends[0][0] == 0, ends[1][0] == 0)
    assert ends[0][2] == pytest.approx(ends[1][2], rel=1e-9)


@pytest.mark.parametrize("solver", ["newton-cholesky", "lbfgs"])
def test_fits_within_bounds_are_those_in_memory(solver, stored):
    problem = Problem(n_classes=3, weighted=True)
    lower, upper = np.zeros((3, 4)), np.full((3, 4), np.inf)
    ends = [
        solved(BoundedProblem(base, lower, upper), solver, base)
        for base in (problem.linear(), stored(problem))
    ]
    assert (ends[0][0] == 0).any()
    assert ends[0][2] == pytest.approx(ends[1][2], rel=1e-9)
