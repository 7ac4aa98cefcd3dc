"""Methods that minimise an objective, and what they share.

Newton's method (`newton/`) is the default of the linear model, `proximal_newton/` serves penalties
that make coefficients zero, `box/` bounds of coefficients, `lbfgs` the network and whoever asks for
it, `minibatch/` streams and networks. Which one is used for which problem is decided in
`softmax_regression._problems`.

A full-batch solver is a descent, which proposes a direction, and a search, which accepts a point
along it; `loop` has the outer loop that all share, `convergence` and `criteria` say how far the
minimum is, and `protocols` what they ask of an objective. To add one, write a descent as in
`newton/descent.py`, and a function that calls `loop.minimize` with it. The result is a
`result.SolverResult`; `warm_start` is what one run leaves to the next.
"""
