"""What the tests of Dask collections share."""

import os

import pytest
from dask_zoo import Data, start_cluster


@pytest.fixture
def data():
    return Data


@pytest.fixture(scope="session")
def client():
    """A client of two processes with one thread each."""
    pytest.importorskip("distributed", reason="needs the extra 'dask'")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    cluster, client = start_cluster()
    yield client
    client.close()
    cluster.close()
