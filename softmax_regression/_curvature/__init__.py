"""Matrices that stand for the Hessian of a linear model and can be solved with: one a file.

`base.Curvature` is the contract. To choose: `full_hessian` is exact; `class_blocks` keeps only the
blocks of single classes; `kronecker` is for rows that have nearly the same probabilities, as where
a fit begins; `diagonal` is for very many columns; `woodbury` is for fewer rows than unknowns. Those
of some entries of (W, b) are in `working_set` and `chosen_entries`, and in `wide_hessian` for very
many columns. `schedule` decides how exact a Hessian is made for a step of Newton's method,
`preconditioner` which matrices serve conjugate gradients, and `whitened` changes the unknowns by
one of them.

To add one, write a `Curvature` whose sums over rows are made by `row_sums.sum_over_rows` from a
function at the top of the module.
"""
