"""Fits on Dask collections: of more rows than memory holds, and on the workers of a cluster.

`DaskSoftmaxRegression` is `SoftmaxRegression` for Dask arrays and DataFrames: the same solvers, and
the same certificate. Needs the extra ``dask``: ``pip install "softmax-regression[dask]"``.

Rows are read in chunks: a folder of files, or what Dask makes on the way. Without a cluster, each
chunk is read, used and dropped, once a pass. With a client of `distributed`, chunks stay on the
workers, coefficients go out once a pass, and sums come back through a tree.
"""

try:
    import dask.array  # noqa: F401
except ImportError as error:  # pragma: no cover
    raise ImportError(
        "softmax_regression.dask needs Dask: install the extra 'dask', as by "
        "pip install 'softmax-regression[dask]'."
    ) from error

from softmax_regression.dask import _inference  # noqa: F401  # `infer` learns of collections
from softmax_regression.dask._softmax_path import softmax_path
from softmax_regression.dask._softmax_regression import DaskSoftmaxRegression

__all__ = ["DaskSoftmaxRegression", "softmax_path"]
