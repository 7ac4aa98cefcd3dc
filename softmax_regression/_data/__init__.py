"""Rows of X in blocks, dense or sparse, their moments, and their targets.

`make.as_design` chooses the storage: `dense.DenseDesign` or `sparse.SparseDesign`. Everybody else
sees a `design.Design`, whose `map_blocks` applies a function to blocks of rows in threads. To add a
storage, write a `Design` and have `as_design` return it.
"""
