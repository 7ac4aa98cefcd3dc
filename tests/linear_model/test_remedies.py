"""The remedies in warnings that a solver stopped before it reached the minimum."""

import numpy as np
import pytest

from softmax_regression._solvers.result import SolverResult, StopReason
from softmax_regression.linear_model._remedies import remedy

STOPPED_EARLY = [reason for reason in StopReason if reason is not StopReason.CONVERGED]


def advice(reason, solver="newton-cg"):
    result = SolverResult(np.zeros(2), 1.0, 100, reason)
    return remedy(result, solver, worse=False, dtype=np.dtype(np.float64), bounded=False)


@pytest.mark.parametrize("reason", STOPPED_EARLY)
def test_every_reason_has_a_remedy_in_a_sentence(reason):
    text = advice(reason)
    assert text[0].isupper()
    assert text.endswith(".")


@pytest.mark.parametrize("solver", ["newton-cg", "newton-cholesky", "proximal-newton"])
def test_a_run_that_gets_nowhere_needs_an_easier_problem(solver):
    text = advice(StopReason.STALLED, solver).lower()
    for part in ("standardize the features", "lower c", "raise tol"):
        assert part in text
    assert "max_iter" not in text
