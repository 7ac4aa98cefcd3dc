"""Which doctests there are to collect: those of `softmax_regression.dask` need Dask."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("dask") else ["softmax_regression/dask"]
