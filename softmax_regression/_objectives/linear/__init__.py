"""Cross-entropy of a linear model: the objective, certificates, changes of unknowns.

`cross_entropy.LinearCrossEntropy` is the smooth objective: sums over rows, whose kernels are in
`kernels`, and a ridge. `layout` defines the order of W and b in the flat vector. `one_block` holds
the same objective for data so small that function calls take longer than arithmetic. `sparse` adds
a penalty that sets coefficients to zero, and `bounded` bounds of coefficients.

Certificates bound how far F is above its minimum: `dual_bound` for any penalty with a conjugate
(see `_penalties`), `newton_dual` without a penalty, and `free_step` if some features have no
penalty or there are offsets. `intercept` is Newton's method in b alone. `coordinates` and
`row_space` change the unknowns, and `null_model` is the start of fits.

To add a smooth penalty, write a subclass of `_penalties.ridge.Ridge`, and pass it to
`LinearCrossEntropy.of_rows` (tests/objectives/test_penalty_seam.py has one).
"""
