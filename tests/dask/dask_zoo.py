"""Data to fit in memory and in chunks, and clusters of two processes."""

import gc
import time

import numpy as np


class Data:
    """Rows whose classes overlap, with what else a fit may be given."""

    def __init__(self, n_rows=900, n_columns=5, n_classes=3, dtype=np.float64, seed=0):
        rng = np.random.default_rng(seed)
        self.X = (rng.normal(size=(n_rows, n_columns)) + 1) * np.logspace(-2, 2, n_columns)
        self.X = self.X.astype(dtype)
        scores = (self.X / self.X.std(axis=0)) @ rng.normal(size=(n_columns, n_classes))
        self.y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
        self.weight = rng.uniform(0.2, 3, size=n_rows)
        self.weight[::7] = 0
        self.shares = rng.dirichlet(np.full(n_classes, 0.5), size=n_rows)


def start_cluster(processes=True):
    """Return a cluster of two workers with one thread each, and its client."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=processes,
        host="127.0.0.1",
        protocol="tcp",
        dashboard_address=":0",
        silence_logs=50,
    )
    return cluster, Client(cluster, set_as_default=False)


def left_behind(client):
    """Return the keys of tasks of fits that the scheduler still knows, a moment later."""
    for _ in range(50):
        keys = client.run_on_scheduler(lambda dask_scheduler: list(map(str, dask_scheduler.tasks)))
        if not (mine := [key for key in keys if "softmax" in key]):
            return []
        gc.collect()
        time.sleep(0.1)
    return mine
