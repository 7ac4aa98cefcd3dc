"""The benchmark of rows in files measures what it says."""

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra 'dask'")

from benchmarks import distributed
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
