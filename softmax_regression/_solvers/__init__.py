"""Methods that minimise an objective.

Newton's method (`newton/`) is the default of the linear model. `proximal_newton/` is for penalties
that set coefficients to zero, `box/` for bounds of coefficients, `lbfgs` for the network and for
users who choose it, and `minibatch/` for streams and networks. `softmax_regression._problems`
chooses among them.

A full-batch solver consists of a descent, which proposes a direction, and a search, which accepts a
point along it. `loop` holds the outer loop that all of them share, `convergence` and `criteria`
measure the distance from the minimum, and `protocols` lists what solvers require of an objective.
To add a solver, write a descent as in `newton/descent.py`, and a function that calls
`loop.minimize` with it. The result is a `result.SolverResult`; `warm_start` holds what one run
passes to the next.
"""
