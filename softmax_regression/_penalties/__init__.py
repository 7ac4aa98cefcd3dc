"""Penalties, one in each file: value, conjugate and, if they make zeros, proximal operator.

`ridge` is the weighted square of the coefficients, `weighted_ridge` is a ridge that some features
may lack, and `boxed_ridge` is a ridge within bounds. `lasso.Lasso` sets single coefficients to
zero, `lasso.GroupLasso` those of a feature together, and `elastic_net` is the sum of a ridge and
one of these.

To add a penalty that makes zeros, write a subclass of `lasso.Penalty` and name it in
`lasso.PENALTIES`. Any other penalty needs the members of `dual_bound.Conjugate` for a certificate.
"""
