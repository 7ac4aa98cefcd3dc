"""Linear algebra that does not depend on models: threads, and operations of BLAS and LAPACK.

Public functions and methods that compute for longer than a moment are decorated with
`threads.blas_held_to_one_thread`; `threads.share_out` distributes blocks of rows over threads.
"""
