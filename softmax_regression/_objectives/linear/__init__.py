"""Cross-entropy of a linear model: the objective, certificates, changes of unknowns.

`cross_entropy.LinearCrossEntropy` is the smooth objective: sums over rows, which `kernels` holds,
and a ridge. `layout` says where W and b lie in the flat vector. `one_block` is the same objective
for data so small that calls take longer than arithmetic. `sparse` and `bounded` add a penalty that
makes zeros, and bounds of coefficients.

`dual_bound` bounds how far the minimum may be below, for any penalty that brings its conjugate (see
`_penalties`), `newton_dual` does so without a penalty, and `free_step` where some features have
none, or a part of the scores is known. `intercept` is Newton's method in b alone. `coordinates` and
`row_space` change the unknowns; `null_model` is where fits begin.

To add a smooth penalty, write a subclass of `_penalties.ridge.Ridge`, and pass it to
`LinearCrossEntropy.of_rows` (tests/objectives/test_penalty_seam.py has one).
"""
