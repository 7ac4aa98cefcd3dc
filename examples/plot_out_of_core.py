"""
More rows than memory
=====================

A table of 20 files is to be fitted by a process that may not hold it: its memory is limited to less
than the table takes. ``DaskSoftmaxRegression`` reads one file after the other, uses it and drops
it, once a pass, and an exact Newton fit is a dozen or two of passes. Then a cluster fits the same
table. It reads each file once and keeps it, as there is room on its workers.

Either way the model is the one that ``SoftmaxRegression`` finds in memory, with the same
certificate.
"""

import resource
import threading
import time
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

import dask
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
import psutil
from dask.callbacks import Callback
from distributed import Client, LocalCluster, WorkerPlugin

from softmax_regression.dask import DaskSoftmaxRegression

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#666666"
plt.rcParams.update(
    {
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
    }
)

# %%
# A table in files
# ----------------
#
# Three classes, 40 features on very different scales, in float32: 20 files of 60 000 rows each.

n_files, n_rows, n_features, n_classes = 20, 60_000, 40, 3
folder = TemporaryDirectory()
rng = np.random.default_rng(0)
weights = rng.normal(scale=0.5, size=(n_features, n_classes))
scales = np.logspace(-2, 2, n_features)
for number in range(n_files):
    Z = rng.standard_normal((n_rows, n_features))
    labels = (Z @ weights + rng.gumbel(size=(n_rows, n_classes))).argmax(axis=1)
    np.save(Path(folder.name) / f"X{number}.npy", (Z * scales).astype(np.float32))
    np.save(Path(folder.name) / f"y{number}.npy", labels.astype(np.int8))
del Z, labels


def read(name):
    """The content of a file: the only place where rows come into memory."""
    return np.load(Path(folder.name) / f"{name}.npy")


def lazily(name, shape, dtype):
    """All files of a name as one Dask array, of which nothing is read yet."""
    parts = [dask.delayed(read)(f"{name}{number}") for number in range(n_files)]
    return da.concatenate([da.from_delayed(part, shape, dtype) for part in parts])


X, y = lazily("X", (n_rows, n_features), np.float32), lazily("y", (n_rows,), np.int8)
print(f"{X.nbytes / 1e6:.0f} MB of X in {X.numblocks[0]} chunks")

# %%
# A process that may not hold it
# ------------------------------
#
# The system is told to give this process 120 MB more than it has, though X takes 192: there is no
# room for it. (What is imported and started once is there before, by a fit of the first file.)

dask.config.set(scheduler="threads", num_workers=2)
DaskSoftmaxRegression(tol=1e-2).fit(X[:n_rows], y[:n_rows])
process = psutil.Process()
allowed = 120e6
unlimited = resource.getrlimit(resource.RLIMIT_DATA)
in_use = 1024 * int(
    next(
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line
    ).split()[1]
)
resource.setrlimit(resource.RLIMIT_DATA, (int(in_use + allowed), unlimited[1]))
try:
    np.empty(X.shape, X.dtype)  # room for it
except MemoryError:
    print("X does not fit into memory")

# %%
# Who does what, and when
# -----------------------
#
# Each task of a fit that goes through a chunk has the name of what it sums up, such as
# ``softmax-gradient``. We note when one is done, and how much memory the process takes meanwhile.


class Record:
    """When chunks were done, and memory over time, both beside where it began."""

    def __init__(self):
        self.done, self.times, self.memory = [], [], []
        self.begin, self.before = time.perf_counter(), process.memory_info().rss
        self.open = True
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        """Look at the memory every hundredth of a second."""
        while self.open:
            self.times.append(time.perf_counter() - self.begin)
            self.memory.append((process.memory_info().rss - self.before) / 1e6)
            time.sleep(0.01)

    def note(self, key):
        """Take down that a task is done, if it went through a chunk."""
        kind = str(key).removeprefix("softmax-").partition("-")[0]
        if str(key).startswith("softmax-") and kind not in ("sum", "parameters", "encoding"):
            self.done.append(time.perf_counter() - self.begin)

    def close(self):
        """Stop looking."""
        self.open = False
        self.thread.join()


record = Record()
with Callback(posttask=lambda key, *_: record.note(key)):
    model = DaskSoftmaxRegression().fit(X, y)
record.close()
resource.setrlimit(resource.RLIMIT_DATA, unlimited)
print(
    f"out of core: {model.n_passes_} passes, objective {model.objective_:.6f}, "
    f"gap {model.optimality_gap_:.0e}, {max(record.memory):.0f} MB more than before"
)

# %%
# The same on a cluster
# ---------------------
#
# Two workers, with a thread each, in this process, so that we can look on; those of a cluster are
# processes on other machines, and nothing else changes. ``DaskSoftmaxRegression`` finds the client
# by itself. The chunks stay on the workers, coefficients go out once a pass, and sums come back.


class Note(WorkerPlugin):
    """Notes each task that a worker has done."""

    def __init__(self, record):
        self.record = record

    def transition(self, key, start, finish, **kwargs):
        """Be told by a worker what becomes of a task."""
        if start == "executing" and finish == "memory":
            self.record.note(key)


cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0")
with cluster, Client(cluster) as client:
    on_cluster = Record()
    for worker in cluster.workers.values():
        worker.plugins["note"] = Note(on_cluster)
    shared = DaskSoftmaxRegression().fit(X, y)
    on_cluster.close()
    accuracy = shared.score(X, y)
print(
    f"on a cluster: {shared.n_passes_} passes, objective {shared.objective_:.6f}, "
    f"gap {shared.optimality_gap_:.0e}; accuracy {accuracy:.3f}"
)
print(f"largest difference of coefficients: {np.abs(shared.coef_ - model.coef_).max():.1e}")

# %%
# Rows per second, and memory
# ---------------------------
#
# Out of core, the process takes memory for three or four chunks, far below what X takes. A pass
# for the Hessian goes through fewer rows in a second than one for the gradient. The cluster takes
# memory for all of X while it fits.

fig, axes = plt.subplots(2, 2, figsize=(10, 6), sharex="col", sharey="row")
for (rate, memory), found, color, title in (
    (axes[:, 0], record, BLUE, "Out of core: each chunk is read in every pass"),
    (axes[:, 1], on_cluster, VERMILION, "On a cluster: chunks are kept on workers"),
):
    edges = np.linspace(0, found.times[-1], 60)
    counts, _ = np.histogram(found.done, edges)
    rate.stairs(counts * n_rows / np.diff(edges) / 1e6, edges, fill=True, color=color, alpha=0.8)
    rate.set(title=title)
    memory.plot(found.times, found.memory, color=color)
    memory.axhline(X.nbytes / 1e6, color=GREY, linestyle="--")
    memory.text(0, X.nbytes / 1e6 + 3, "all of X", color=GREY)
    memory.set(xlabel="seconds")
axes[1, 0].axhline(allowed / 1e6, color=GREY, linestyle=":")
axes[1, 0].text(0, allowed / 1e6 + 3, "what the process may take", color=GREY)
axes[1, 0].set_ylim(0, 1.1 * max(*record.memory, *on_cluster.memory))
axes[0, 0].set_ylabel("million rows per second")
axes[1, 0].set_ylabel("memory beside the start, MB")

folder.cleanup()

parser = ArgumentParser(description="Draw the figure.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if saved_to := parser.parse_args().output:
    plt.savefig(saved_to / "out_of_core.png", dpi=110)
plt.show()
