"""Cross-entropy of a linear model: the objective, certificates, changes of unknowns.

`cross_entropy.LinearCrossEntropy` is the smooth objective, `one_block` the same for data so small
that calls take longer than arithmetic; `sparse` and `bounded` add a penalty that makes zeros and
bounds of coefficients. `dual_bound` and `newton_dual` bound how far the minimum may be below.
`coordinates`, `row_space` and `whitened` change the unknowns.
"""
