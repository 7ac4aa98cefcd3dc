"""Workers keep freed memory while a task runs, and give it back afterwards."""

from contextlib import nullcontext

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra 'dask'")
resource = pytest.importorskip("resource", reason="counts page faults")

from softmax_regression.dask._worker_memory import _of_environment, kept_memory


def page_faults(context):
    """Return how many pages are mapped anew while an array of 1 MB is made and freed 100 times."""
    with context():
        np.ones(1 << 17)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(100):
            np.ones(1 << 17)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_a_worker_keeps_memory_until_a_task_ends(client):
    given_back = client.run(page_faults, nullcontext)
    if min(given_back.values()) < 5000:
        pytest.skip("this system does not give memory back at once")
    assert max(client.run(page_faults, kept_memory).values()) < 1000
    assert min(client.run(page_faults, nullcontext).values()) >= 5000


def test_this_process_is_left_alone():
    before = page_faults(nullcontext)
    assert page_faults(kept_memory) <= before + 1000


@pytest.mark.parametrize(
    ("text", "read"), [("", 7), ("65536", 65536), ("²", 7), ("-1", 7), ("9" * 23, 2**31 - 1)]
)
def test_odd_environments_are_no_error(monkeypatch, text, read):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", text)
    assert _of_environment("MALLOC_TRIM_THRESHOLD_", 7) == read
