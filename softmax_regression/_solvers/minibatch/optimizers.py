"""Optimizers: the steps of stochastic gradient methods, in place on a flat parameter vector."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.blas import add_scaled
from softmax_regression._linalg.threads import in_parts

_MIN_UNIT = 1e-9  # The inverse of the unit times any gradient must not overflow in float32.
_MAX_MEAN_UPDATES = 16  # A running mean is updated so often over its length; more changes little.


class Optimizer(ABC):
    """A rule that turns gradients into steps, with state between the steps.

    An optimizer belongs to one parameter vector. Its state is allocated at the first step.
    """

    @abstractmethod
    def step(self, params: Array, gradient: Array, learning_rate: float) -> None:
        """Change `params` by one step. `gradient` may be overwritten."""

    def epoch_ended(self) -> None:  # noqa: B027 - most optimizers do nothing here
        """Update the state at the end of an epoch."""

    def outcome(self, params: Array) -> Array:
        """Return the result of the steps, which may differ from the current parameters."""
        return params


class SGD(Optimizer):
    """Gradient descent with momentum.

    The velocity is ``v ← momentum · v − rate · g``, and the step is ``params ← params + v``, or
    with Nesterov's momentum ``params ← params + momentum · v − rate · g`` (Sutskever et al., "On
    the importance of initialization and momentum in deep learning", ICML 2013).

    Parameters
    ----------
    momentum : float
        The factor of the velocity in each step, between 0 and 1.
    nesterov : bool
        Whether to use Nesterov's momentum.
    """

    def __init__(self, momentum: float = 0.9, nesterov: bool = True):
        self.momentum = momentum
        self.nesterov = nesterov
        self.velocity: Array | None = None

    def step(self, params: Array, gradient: Array, learning_rate: float) -> None:
        if self.velocity is None:
            self.velocity = np.zeros_like(params)
        self.velocity *= self.momentum
        add_scaled(-learning_rate, gradient, self.velocity)
        if self.nesterov:
            add_scaled(-learning_rate, gradient, params)
            add_scaled(self.momentum, self.velocity, params)
        else:
            params += self.velocity

    def epoch_ended(self) -> None:
        _drop_denormals(self.velocity)


class Adam(Optimizer):
    """Steps of about equal size in every parameter (Kingma and Ba, "Adam", ICLR 2015).

    The step is ``−rate · m / (√v + epsilon)``, with running means m of the gradient and v of its
    square. The rate is corrected for the bias of m and v towards their initial value 0.

    Both means are stored as a `FadingSum`, so that factors that would multiply every entry are
    applied to the rate instead, which saves passes over the arrays.

    Parameters
    ----------
    beta_1, beta_2 : float
        The decay factors of m and v in each step, in [0, 1).
    epsilon : float
        A small number that keeps the step finite where the gradient has been 0.
    """

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_steps = 0
        self.total: FadingSum | None = None
        self.squares: FadingSum | None = None

    def step(self, params: Array, gradient: Array, learning_rate: float) -> None:
        if self.total is None or self.squares is None:
            self.total = FadingSum(np.zeros_like(params), self.beta_1)
            self.squares = FadingSum(np.zeros_like(params), self.beta_2)
        self.n_steps += 1
        total, squares = self.total.faded(), self.squares.faded()
        new_1, new_2 = 1 / self.total.unit, 1 / self.squares.unit
        # √v is `of_root` times the square root of `squares`.
        of_root = ((1 - self.beta_2) * self.squares.unit) ** 0.5
        undo = (1 - self.beta_2**self.n_steps) ** 0.5 / (1 - self.beta_1**self.n_steps)
        rate = learning_rate * undo * (1 - self.beta_1) * self.total.unit / of_root
        epsilon = self.epsilon / of_root

        def update(part: slice) -> None:
            p, g, m, v = params[part], gradient[part], total[part], squares[part]
            add_scaled(new_1, g, m)
            np.multiply(g, g, out=g)
            add_scaled(new_2, g, v)
            np.sqrt(v, out=g)
            g += epsilon
            np.divide(m, g, out=g)
            add_scaled(-rate, g, p)

        in_parts(update, len(params))

    def epoch_ended(self) -> None:
        if self.total is not None:
            _drop_denormals(self.total.values)


class FadingSum:
    """A sum of vectors that is multiplied by a number below 1 before each addition.

    The number multiplies the unit of the sum, and the entries only when the unit becomes small.

    Parameters
    ----------
    values : ndarray
        The sum in units of `unit`.
    kept : float
        The number that the sum is multiplied by.
    """

    def __init__(self, values: Array, kept: float):
        self.values = values
        self.kept = kept
        self.unit = 1.0

    def faded(self) -> Array:
        """Multiply the sum and return its values; callers add vectors divided by `unit` to them."""
        self.unit *= self.kept
        if self.unit < _MIN_UNIT:
            self.values *= self.unit
            self.unit = 1.0
        return self.values


class Decaying(Optimizer):
    """Another optimizer with decoupled weight decay.

    In each step weights shrink by the fraction ``rate · decay``, independently of the gradient
    (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019: with Adam, AdamW).

    Parameters
    ----------
    steps : Optimizer
        The other optimizer.
    decay : float
        The strength of the decay.
    n_weights : int
        The number of parameters that decay, at the front of the vector.
    """

    def __init__(self, steps: Optimizer, decay: float, n_weights: int):
        self.steps = steps
        self.decay = decay
        self.n_weights = n_weights

    def step(self, params: Array, gradient: Array, learning_rate: float) -> None:
        params[: self.n_weights] *= 1 - learning_rate * self.decay
        self.steps.step(params, gradient, learning_rate)

    def epoch_ended(self) -> None:
        self.steps.epoch_ended()


class Clipping(Optimizer):
    """Another optimizer with gradients clipped to a largest norm.

    (Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML
    2013.)

    Parameters
    ----------
    steps : Optimizer
        The other optimizer.
    max_norm : float
        The largest Euclidean norm.
    owners : ndarray of int, default=None
        The index of the model that each parameter belongs to, if several models are trained side by
        side. The gradient of each model has its own norm.
    """

    def __init__(self, steps: Optimizer, max_norm: float, owners: Array | None = None):
        self.steps = steps
        self.max_norm = max_norm
        self.owners = owners

    def step(self, params: Array, gradient: Array, learning_rate: float) -> None:
        if self.owners is not None:
            norms = np.bincount(self.owners, np.square(gradient, dtype=np.float64)) ** 0.5
            factors = self.max_norm / np.maximum(norms, self.max_norm)
            gradient *= factors.astype(gradient.dtype)[self.owners]
        elif (norm := float(np.dot(gradient, gradient)) ** 0.5) > self.max_norm:
            gradient *= self.max_norm / norm
        self.steps.step(params, gradient, learning_rate)

    def epoch_ended(self) -> None:
        self.steps.epoch_ended()


class Averaging(Optimizer):
    """Another optimizer, whose outcome is a running mean of the parameters.

    If steps oscillate about a minimum, their mean is nearer to it (Polyak and Juditsky,
    "Acceleration of stochastic approximation by averaging", 1992). Earlier steps fade, and while
    there are fewer steps than `length`, the weight of a step is proportional to its number (Shamir
    and Zhang, "Stochastic gradient descent for non-smooth optimization", ICML 2013).

    Parameters
    ----------
    steps : Optimizer
        The other optimizer.
    length : float
        The number of steps to average over; inf for all steps, weighted by their numbers.
    after : float
        The number of the step at which the mean begins. Until then it is the current parameters.
    mean : ndarray, default=None
        The previous mean, which is changed in place.
    n_steps : int
        The number of steps that have been taken before.
    """

    def __init__(
        self,
        steps: Optimizer,
        length: float,
        after: float = 0.0,
        mean: Array | None = None,
        n_steps: int = 0,
    ):
        self.steps = steps
        self.length = length
        self.after = after
        self.every = max(1, round(length / _MAX_MEAN_UPDATES)) if length < np.inf else 1
        self.n_steps = n_steps
        self.mean = mean

    def step(self, params: Array, gradient: Array, learning_rate: float) -> None:
        self.steps.step(params, gradient, learning_rate)
        self.n_steps += 1
        if self.mean is None:
            self.mean = params.copy()
        elif self.n_steps % self.every == 0:
            n_averaged = max(0.0, self.n_steps - self.after)
            share = max(self.every / self.length, 2 / (n_averaged / self.every + 2))
            self.mean *= 1 - min(share, 1.0)
            add_scaled(min(share, 1.0), params, self.mean)

    def epoch_ended(self) -> None:
        self.steps.epoch_ended()

    def outcome(self, params: Array) -> Array:
        return params if self.mean is None else self.mean


def _drop_denormals(memory: Array | None) -> None:
    """Set nearly denormal numbers to 0, because arithmetic on denormal numbers is slow."""
    if memory is not None:
        memory[np.abs(memory) < np.finfo(memory.dtype).tiny * 1e8] = 0
