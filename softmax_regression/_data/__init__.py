"""Rows of X in blocks, with their targets and weights, and sums over them.

`dataset.Dataset` holds the rows in memory; its `map_reduce` calls a kernel for blocks of rows and
adds up the results. X is a `design.Design`, dense or sparse, which `make.as_design` chooses.

To add a kind of matrix, write a `Design` and have `as_design` return it. To add a storage, write a
subclass of `dataset.RowBlocks` (tests/data/test_storage.py has one that reads .npy files).
"""
