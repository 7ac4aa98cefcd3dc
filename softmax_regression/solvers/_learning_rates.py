"""How the step size of a minibatch solver changes in the course of training."""

from __future__ import annotations

_SMALLEST = 1e-6  # an adaptive schedule that has come to this factor is at its end
_REDUCTION = 5.0


class LearningRate:
    """A rate that stays as it is, and the contract of those that don't.

    Parameters
    ----------
    initial : float
        The rate at the start.
    power_t : float
        The exponent of inverse scaling.
    """

    def __init__(self, initial: float, power_t: float = 0.5):
        self.initial = initial
        self.power_t = power_t
        self.factor = 1.0

    @property
    def current(self) -> float:
        """The rate now."""
        return self.initial * self.factor

    def epoch_ended(self, n_rows_seen: int) -> None:
        """Adjust to the number of rows seen since the start."""

    def reduce(self) -> bool:
        """Hear that the loss has stopped improving; return whether a smaller rate may help."""
        return False


class InverseScaling(LearningRate):
    """``initial / (t + 1) ** power_t`` with t the number of rows seen."""

    def epoch_ended(self, n_rows_seen: int) -> None:
        self.factor = 1 / (n_rows_seen + 1) ** self.power_t


class Adaptive(LearningRate):
    """Divided by 5 whenever the loss has stopped improving, until that is no use any more."""

    def reduce(self) -> bool:
        if self.factor <= _SMALLEST:
            return False
        self.factor /= _REDUCTION
        return True


LEARNING_RATES: dict[str, type[LearningRate]] = {
    "constant": LearningRate,
    "invscaling": InverseScaling,
    "adaptive": Adaptive,
}
