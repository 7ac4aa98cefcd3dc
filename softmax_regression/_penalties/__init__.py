"""Penalties, one idea a file: value and conjugate, and what solvers ask of those that make zeros.

`ridge` is the weighted square of the coefficients, `weighted_ridge` the same with features that may
have no penalty at all, `boxed_ridge` the same within bounds.
`lasso.Lasso` sets coefficients to zero one by one, `lasso.GroupLasso` those of a feature together,
and `elastic_net` puts a ridge and one of these together.

To add one that makes zeros, write a subclass of `lasso.Penalty` and name it in `lasso.PENALTIES`.
Any other needs the members of `dual_bound.Conjugate` to be certified.
"""
