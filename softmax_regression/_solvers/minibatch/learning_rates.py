"""How the step size of a minibatch solver changes in the course of training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import cos, pi

_LEAST_FACTOR = 1e-6  # An adaptive schedule whose factor has fallen to this is at its end.
_REDUCTION = 5.0  # What an adaptive schedule divides the rate by.
_FIRST_CYCLE = 3  # Epochs of the first cycle of warm restarts; each has twice those of the last.
_WARM_UP_SHARE = 0.1  # Of all steps of a one-cycle schedule: there the rate rises.
_WARM_UP_FACTOR = 0.04  # Of the highest rate: there a one-cycle schedule begins.


class LearningRate:
    """A rate that stays as it is, and the contract of schedules that change it.

    Parameters
    ----------
    initial : float
        The rate at the start; of a schedule that rises first, the highest.
    power_t : float
        The exponent of inverse scaling.
    """

    planned = False  # Whether the schedule depends on the number of all steps.
    # Whether epochs of some numbers alone tell how good training is; see `epoch_counts`.
    in_cycles = False

    def __init__(self, initial: float, power_t: float = 0.5):
        self.initial = initial
        self.power_t = power_t
        self.factor = 1.0

    @property
    def current(self) -> float:
        """The rate now."""
        return self.initial * self.factor

    def begin(self, n_epochs: int, n_steps: int) -> None:
        """Learn how many epochs there will be at most, and how many steps in each."""

    def most_epochs(self, max_iter: int) -> int:
        """Return how many epochs there are time for."""
        return max_iter

    def epoch_counts(self, epoch: int) -> bool:
        """Whether a loss after an epoch, counted from 1, shows how good training is by then."""
        return True

    def in_stream(self, n_rows_seen: int, n_steps: int) -> LearningRate:
        """Return the schedule for the next piece of a stream.

        `n_rows_seen` rows came before it, and `n_steps` steps since the stream last changed.
        """
        self.epoch_ended(n_rows_seen)
        return self

    def step_ended(self) -> None:
        """Adjust to another step."""

    def epoch_ended(self, n_rows_seen: int) -> None:
        """Adjust to the number of rows seen since the start."""

    def reduce(self) -> bool:
        """Learn that the loss has stopped improving; return whether a smaller rate may help."""
        return False


class InverseScaling(LearningRate):
    """``initial / (t + 1) ** power_t`` with t the number of rows seen."""

    def epoch_ended(self, n_rows_seen: int) -> None:
        self.factor = 1 / (n_rows_seen + 1) ** self.power_t


class Adaptive(LearningRate):
    """A rate divided by 5 whenever the loss has stopped improving, down to a millionth.

    In a stream, where every loss is of other rows, it falls with the number of steps instead.
    """

    def in_stream(self, n_rows_seen: int, n_steps: int) -> LearningRate:
        return RootDecay(self.initial, n_steps)

    def reduce(self) -> bool:
        if self.factor <= _LEAST_FACTOR:
            return False
        self.factor /= _REDUCTION
        return True


class RootDecay(LearningRate):
    """``min(initial, (initial / t) ** 0.5)`` with t the number of steps.

    The rate is constant for ``1 / initial`` steps, in which parameters of unit scale can reach
    their place, and then proportional to ``t ** -0.5``: with that decay the average of the iterates
    converges without knowledge of how flat the minimum is (Bach and Moulines, "Non-asymptotic
    analysis of stochastic approximation algorithms for machine learning", NIPS 2011).

    Parameters
    ----------
    initial : float
        The first rate.
    n_steps : int
        Steps that have been taken.
    """

    def __init__(self, initial: float, n_steps: int):
        super().__init__(initial)
        self.n_steps = n_steps

    @property
    def current(self) -> float:
        return self.initial / max(1.0, self.initial * self.n_steps) ** 0.5

    def step_ended(self) -> None:
        self.n_steps += 1


class _Planned(LearningRate, ABC):
    """A schedule given as a function of the share of all steps that has been taken."""

    planned = True

    def begin(self, n_epochs: int, n_steps: int) -> None:
        self._n_steps, self._taken = n_epochs * n_steps, 0
        self.factor = self.at(0.0)

    def step_ended(self) -> None:
        self._taken += 1
        self.factor = self.at(min(self._taken / self._n_steps, 1.0))

    def reduce(self) -> bool:
        return True  # The rate falls by itself.

    @abstractmethod
    def at(self, share: float) -> float:
        """Return the factor."""


class Cosine(_Planned):
    """Half a cosine, from the first rate to 0.

    (Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017,
    without restarts.)
    """

    def at(self, share: float) -> float:
        return 0.5 * (1 + cos(pi * share))


class OneCycle(_Planned):
    """Up to the rate in the first tenth of the steps, then down to 0, both as a cosine.

    (Smith and Topin, "Super-convergence: very fast training of neural networks using large learning
    rates", 2018.)
    """

    def at(self, share: float) -> float:
        if share < _WARM_UP_SHARE:
            return _WARM_UP_FACTOR + (1 - _WARM_UP_FACTOR) * 0.5 * (
                1 - cos(pi * share / _WARM_UP_SHARE)
            )
        return 0.5 * (1 + cos(pi * (share - _WARM_UP_SHARE) / (1 - _WARM_UP_SHARE)))


class WarmRestarts(OneCycle):
    """The same in one cycle after the other, of 3, 6, 12, … epochs.

    At the end of a cycle the network is as good as it gets in so many epochs. Whether twice as many
    make a better one can be tried without knowing in advance how many are needed (Loshchilov and
    Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017).
    """

    planned = False
    in_cycles = True

    def begin(self, n_epochs: int, n_steps: int) -> None:
        self._steps_of_epoch, self._epochs = n_steps, _FIRST_CYCLE
        super().begin(_FIRST_CYCLE, n_steps)

    def step_ended(self) -> None:
        super().step_ended()
        if self._taken == self._n_steps:
            self._epochs *= 2
            super().begin(self._epochs, self._steps_of_epoch)

    def most_epochs(self, max_iter: int) -> int:
        """Leave out a cycle that would not come to its end."""
        n_cycles = (max_iter // _FIRST_CYCLE + 1).bit_length() - 1
        return _FIRST_CYCLE * (2**n_cycles - 1) or max_iter

    def epoch_counts(self, epoch: int) -> bool:
        n_cycles = epoch / _FIRST_CYCLE + 1  # A power of 2 where one has come to its end.
        return n_cycles.is_integer() and int(n_cycles).bit_count() == 1

    def reduce(self) -> bool:
        return False


LEARNING_RATES: dict[str, type[LearningRate]] = {
    "constant": LearningRate,
    "invscaling": InverseScaling,
    "adaptive": Adaptive,
    "cosine": Cosine,
    "one-cycle": OneCycle,
    "warm-restarts": WarmRestarts,
}
