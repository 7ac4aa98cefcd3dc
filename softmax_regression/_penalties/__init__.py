"""Penalties beside the ridge, each with its norm, its conjugate and its subgradient.

`lasso.Lasso` sets coefficients to zero one by one, `lasso.GroupLasso` those of a feature together.
To add one, write a subclass of `lasso.Penalty` and name it in `lasso.PENALTIES`.
"""
