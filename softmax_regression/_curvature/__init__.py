"""Approximations of the Hessian of a linear model with which equations can be solved.

Each file holds one approximation, and `base.Curvature` is their contract. To choose one:
`full_hessian` is exact; `class_blocks` keeps only the diagonal blocks of single classes;
`kronecker` suits rows that have nearly the same probabilities, as at the start of a fit; `diagonal`
suits very many columns; `woodbury` is exact, and cheaper where there are fewer rows than unknowns.

The Hessian of a subset of the entries of (W, b) is in `working_set` and `chosen_entries`, and in
`wide_hessian` for very many columns. `schedule` decides how exact a Hessian each step of Newton's
method uses, `preconditioner` decides which matrices precondition conjugate gradients, and
`whitened` changes the unknowns so that the Hessian is close to the identity.

To add an approximation, write a subclass of `Curvature`. Its sums over rows are computed by
`row_sums.sum_over_rows`, from a function at module level.
"""
