"""Linear algebra that knows nothing of models: threads, and operations of BLAS and LAPACK.

Whatever is called from outside and computes for longer than a moment is decorated with
`threads.blas_held_to_one_thread`; blocks of rows are shared out with `threads.share_out`.
"""
