"""Schedules of the step size of minibatch solvers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import cos, pi

_MIN_ADAPTIVE_FACTOR = 1e-6  # An adaptive schedule ends when its factor has fallen to this.
_ADAPTIVE_DIVISOR = 5.0  # An adaptive schedule divides the rate by this.
_FIRST_CYCLE_EPOCHS = 2  # Each further cycle of warm restarts has twice as many epochs.
_WARM_UP_STEP_FRACTION = (
    0.1  # The rate of a one-cycle schedule rises in this fraction of its steps.
)
_INITIAL_RATE_FRACTION = 0.04  # A one-cycle schedule starts at this fraction of its highest rate.


class LearningRate:
    """A constant rate, and the base class of schedules that change the rate.

    Parameters
    ----------
    initial : float
        The rate at the start, or the highest rate of a schedule that rises first.
    power_t : float
        The exponent of inverse scaling.
    """

    planned = False  # Whether the schedule depends on the total number of steps.
    # Whether training may be judged only after certain epochs, those that `epoch_counts` names.
    in_cycles = False

    def __init__(self, initial: float, power_t: float = 0.5):
        self.initial = initial
        self.power_t = power_t
        self.factor = 1.0

    @property
    def current(self) -> float:
        """The rate of the next step."""
        return self.initial * self.factor

    def begin(self, n_epochs: int, n_steps: int) -> None:
        """Start a schedule of at most so many epochs, with so many steps in each."""

    def most_epochs(self, max_iter: int) -> int:
        """Return the number of epochs to train for, at most `max_iter`."""
        return max_iter

    def epoch_counts(self, epoch: int) -> bool:
        """Return whether training may be judged by the loss after an epoch, counted from 1."""
        return True

    def in_stream(self, n_rows_seen: int, n_steps: int) -> LearningRate:
        """Return the schedule for the next piece of a stream.

        `n_rows_seen` counts the rows before this piece, and `n_steps` the steps since the stream
        last changed.
        """
        self.epoch_ended(n_rows_seen)
        return self

    def step_ended(self) -> None:
        """Update the schedule after a step."""

    def epoch_ended(self, n_rows_seen: int) -> None:
        """Update the schedule after an epoch, given the number of rows seen since the start."""

    def reduce(self) -> bool:
        """Lower the rate as the loss has stopped improving; return whether that may help."""
        return False

    def anew(self, epoch: int) -> tuple[LearningRate, int] | None:
        """Return the schedule and the number of epochs of another training that leads as far.

        It leads as far as this one did at an epoch, which is counted from 1. None means that
        there is none, because the schedule depended on the losses or on the planned end.
        """
        return type(self)(self.initial, self.power_t), epoch


class InverseScaling(LearningRate):
    """The schedule ``initial / (t + 1) ** power_t``, where t is the number of rows seen."""

    def epoch_ended(self, n_rows_seen: int) -> None:
        self.factor = 1 / (n_rows_seen + 1) ** self.power_t


class Adaptive(LearningRate):
    """A rate that is divided by 5 when the loss has stopped improving, down to a millionth.

    In a stream, where losses are those of different rows, it falls with the number of steps.
    """

    def in_stream(self, n_rows_seen: int, n_steps: int) -> LearningRate:
        return RootDecay(self.initial, n_steps)

    def reduce(self) -> bool:
        if self.factor <= _MIN_ADAPTIVE_FACTOR:
            return False
        self.factor /= _ADAPTIVE_DIVISOR
        return True

    def anew(self, epoch: int) -> tuple[LearningRate, int] | None:
        return None


class RootDecay(LearningRate):
    """The schedule ``min(initial, (initial / t) ** 0.5)``, where t is the number of steps.

    The rate is constant for ``1 / initial`` steps, in which parameters of unit scale can come near
    the minimum, and then proportional to ``t ** -0.5``. With this decay the average of the iterates
    converges without knowledge of the curvature at the minimum (Bach and Moulines, "Non-asymptotic
    analysis of stochastic approximation algorithms for machine learning", NIPS 2011).

    Parameters
    ----------
    initial : float
        The first rate.
    n_steps : int
        The number of steps that have been taken.
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
    """A schedule that is a function of the fraction of all steps that have been taken."""

    planned = True

    def begin(self, n_epochs: int, n_steps: int) -> None:
        self._n_steps, self._taken = n_epochs * n_steps, 0
        self.factor = self.at(0.0)

    def step_ended(self) -> None:
        self._taken += 1
        self.factor = self.at(min(self._taken / self._n_steps, 1.0))

    def reduce(self) -> bool:
        return True  # The schedule lowers the rate in any case.

    def anew(self, epoch: int) -> tuple[LearningRate, int] | None:
        return None

    @abstractmethod
    def at(self, share: float) -> float:
        """Return the factor of the rate after a fraction of all steps."""


class Cosine(_Planned):
    """A rate that follows half a cosine from the first rate to 0.

    (Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017,
    without restarts.)
    """

    def at(self, share: float) -> float:
        return 0.5 * (1 + cos(pi * share))


class OneCycle(_Planned):
    """A rate that rises in the first tenth of the steps and then falls to 0, along cosines.

    (Smith and Topin, "Super-convergence: very fast training of neural networks using large learning
    rates", 2018.)
    """

    def at(self, share: float) -> float:
        if share < _WARM_UP_STEP_FRACTION:
            return _INITIAL_RATE_FRACTION + (1 - _INITIAL_RATE_FRACTION) * 0.5 * (
                1 - cos(pi * share / _WARM_UP_STEP_FRACTION)
            )
        return 0.5 * (1 + cos(pi * (share - _WARM_UP_STEP_FRACTION) / (1 - _WARM_UP_STEP_FRACTION)))


class WarmRestarts(OneCycle):
    """One-cycle schedules that follow each other, of 2, 4, 8, … epochs.

    At the end of a cycle the network is about as good as so many epochs allow. So the number of
    epochs can be doubled until that no longer helps, and need not be known in advance (Loshchilov
    and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017).
    """

    planned = False
    in_cycles = True

    def begin(self, n_epochs: int, n_steps: int) -> None:
        self._steps_of_epoch, self._epochs = n_steps, _FIRST_CYCLE_EPOCHS
        super().begin(_FIRST_CYCLE_EPOCHS, n_steps)

    def step_ended(self) -> None:
        super().step_ended()
        if self._taken == self._n_steps:
            self._epochs *= 2
            super().begin(self._epochs, self._steps_of_epoch)

    def most_epochs(self, max_iter: int) -> int:
        """Return the number of epochs of the complete cycles."""
        n_cycles = (max_iter // _FIRST_CYCLE_EPOCHS + 1).bit_length() - 1
        return _FIRST_CYCLE_EPOCHS * (2**n_cycles - 1) or max_iter

    def epoch_counts(self, epoch: int) -> bool:
        n_cycles = epoch / _FIRST_CYCLE_EPOCHS + 1  # This is a power of 2 at the end of a cycle.
        return n_cycles.is_integer() and int(n_cycles).bit_count() == 1

    def reduce(self) -> bool:
        return False

    def anew(self, epoch: int) -> tuple[LearningRate, int] | None:
        """Return the cycle that an epoch belongs to: it begins far from where the last one ended.

        A network that is trained from the start for one cycle is about as good as at the end of
        that cycle, after all those before.
        """
        n_cycles = ((epoch - 1) // _FIRST_CYCLE_EPOCHS + 1).bit_length()
        return OneCycle(self.initial), _FIRST_CYCLE_EPOCHS * 2 ** (n_cycles - 1)


LEARNING_RATES: dict[str, type[LearningRate]] = {
    "constant": LearningRate,
    "invscaling": InverseScaling,
    "adaptive": Adaptive,
    "cosine": Cosine,
    "one-cycle": OneCycle,
    "warm-restarts": WarmRestarts,
}
