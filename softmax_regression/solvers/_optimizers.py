"""Steps of stochastic gradient methods, on one flat parameter vector, in place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Optimizer(ABC):
    """Turns gradients into steps and keeps what it remembers of them between calls.

    One belongs to one parameter vector. Its memory is made at the first step.
    """

    @abstractmethod
    def step(self, params: Array, gradient: Array, learning_rate: float) -> None:
        """Change `params` by one step. `gradient` may be overwritten."""


class SGD(Optimizer):
    """Gradient descent with momentum.

    ``v ← momentum · v − rate · g``, then ``params ← params + v``; or, looking ahead along v as
    Nesterov does, ``params ← params + momentum · v − rate · g`` (Sutskever et al., "On the
    importance of initialization and momentum in deep learning", ICML 2013).

    Parameters
    ----------
    momentum : float
        Between 0 and 1.
    nesterov : bool
        Whether to look ahead.
    """

    def __init__(self, momentum: float = 0.9, nesterov: bool = True):
        self.momentum = momentum
        self.nesterov = nesterov
        self.velocity: Array | None = None

    def step(self, params: Array, gradient: Array, learning_rate: float) -> None:
        if self.velocity is None:
            self.velocity = np.zeros_like(params)
        gradient *= learning_rate
        self.velocity *= self.momentum
        self.velocity -= gradient
        if self.nesterov:
            params -= gradient
            gradient[...] = self.velocity
            gradient *= self.momentum
            params += gradient
        else:
            params += self.velocity


class Adam(Optimizer):
    """Steps of about equal size in every parameter (Kingma and Ba, "Adam", ICLR 2015).

    Running means m of the gradient and v of its square; the step is ``−rate · m / (√v + epsilon)``,
    with the rate corrected for m and v having started at 0.

    Parameters
    ----------
    beta_1, beta_2 : float
        How slowly m and v forget: in [0, 1).
    epsilon : float
        Keeps the step finite where the gradient has been 0.
    """

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_steps = 0
        self.mean: Array | None = None
        self.square: Array | None = None

    def step(self, params: Array, gradient: Array, learning_rate: float) -> None:
        if self.mean is None or self.square is None:
            self.mean, self.square = np.zeros_like(params), np.zeros_like(params)
        self.n_steps += 1
        self.mean *= self.beta_1
        self.mean += (1 - self.beta_1) * gradient
        np.square(gradient, out=gradient)
        gradient *= 1 - self.beta_2
        self.square *= self.beta_2
        self.square += gradient
        # Both corrections go into the rate: two numbers instead of two passes.
        undo = (1 - self.beta_2**self.n_steps) ** 0.5 / (1 - self.beta_1**self.n_steps)
        np.sqrt(self.square, out=gradient)
        gradient += self.epsilon
        np.divide(self.mean, gradient, out=gradient)
        gradient *= learning_rate * undo
        params -= gradient
