"""Stochastic gradient solvers: the loop over minibatches, optimizers and learning rates."""
