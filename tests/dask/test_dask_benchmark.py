"""The benchmark of rows in files measures what it says."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

pytest.importorskip("distributed", reason="needs the extra 'dask'")

from benchmarks import distributed, distributed_sets
from softmax_regression import SoftmaxRegression


@pytest.fixture
def files(tmp_path):
    files = distributed.Files(tmp_path, n_chunks=3, n_classes=3, chunk_rows=200, n_columns=4)
    files.write()
    return files


def test_the_objective_is_that_of_the_model(files):
    model = SoftmaxRegression().fit(files.whole("X"), files.whole("y"))
    value = files.objective(model.coef_, model.intercept_)
    assert value == pytest.approx(model.objective_, rel=1e-6)


def test_all_ways_come_to_the_same_minimum(files, monkeypatch):
    monkeypatch.setattr(distributed, "in_own_process", lambda how, files, tol: how(files, tol))
    names = ["in memory", "out of core"]
    found = list(distributed.race(files, names))
    assert [fit["fit"] for fit in found] == names
    assert all(fit["gap"] <= distributed.GOAL for fit in found)
    assert found[1]["passes"] > 5


def test_who_cannot_take_part_is_named():
    assert distributed.lacks("dask-ml", 5) == "it fits two classes"
    assert distributed.lacks("in memory", 5) is None
    missing = [distributed.lacks(name, 2) for name in distributed.CONTENDERS]
    assert all(
        reason is None or "not installed" in reason or "no Java" in reason for reason in missing
    )


def test_parquet_files_hold_the_same(files):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'dask'")
    rows = parquet.read_table(distributed._parquet(files) / "1.parquet")
    np.testing.assert_array_equal(np.stack(rows["X"].to_numpy()), files.read("X1"))
    np.testing.assert_array_equal(rows["y"].to_numpy(), files.read("y1"))


def test_data_sets_in_chunks_are_those_in_memory(client, data, monkeypatch):
    monkeypatch.setattr(distributed_sets, "_CHUNKS", {"one of half the rows": 0})
    data = data(n_rows=120)
    X = csr_matrix(data.X)
    local = SoftmaxRegression(tol=distributed_sets.tolerance(X)).fit(X, data.y)
    found = list(distributed_sets.compare(local, X, data.y, client))
    assert [one["scheduler"] for one in found] == ["threads", "two workers"]
    assert all(one["difference"] <= one["gaps"] for one in found)
    assert all(one["iterations"] == one["iterations_in_memory"] for one in found)


def test_chunks_cover_all_rows():
    assert distributed_sets.cuts(100, 0).tolist() == [0, 50, 60, 70, 80, 90, 100]
    assert distributed_sets.cuts(100, 4).tolist() == [0, 25, 50, 75, 100]
