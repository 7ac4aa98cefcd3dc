"""Settings of all tests: those before SciPy is first imported, and a single BLAS thread."""

import os

# scikit-learn checks that array API dispatch leaves NumPy input alone, and skips it without this.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="session")
def _one_blas_thread():
    """Products of small matrices gain nothing from threads that wait for a busy core."""
    with threadpool_limits(1):
        yield
