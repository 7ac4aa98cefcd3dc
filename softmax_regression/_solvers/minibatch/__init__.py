"""Stochastic gradients: passes over minibatches, optimizers, learning rates."""
