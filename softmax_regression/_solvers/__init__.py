"""Methods that minimise an objective, and what they share.

Each is a function that takes an objective, a start, and when to stop, and returns a
`result.SolverResult`. `criteria` says how far the minimum is, which decides when to stop. Newton's
method is the default of the linear model, `proximal_newton` serves penalties that make zeros, `box`
bounds of coefficients, `minibatch` streams and networks. Which one is used for which problem is
decided in `softmax_regression._problems`.
"""
