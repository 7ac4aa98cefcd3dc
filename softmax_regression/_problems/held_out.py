"""Validation rows, on which a network is not trained but scored after each epoch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.model_selection import train_test_split

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.row_scores import true_probabilities
from softmax_regression._losses.targets import Targets
from softmax_regression._solvers.minibatch.minibatch import Validation

_LEAST_GAIN = 1.0  # Nats, summed over rows; a temperature must lower the loss by more than this.


def split(
    targets: Targets, fraction: float, random_state: np.random.RandomState
) -> tuple[Array, Array]:
    """Split the rows of positive weight into training and validation rows, and return both.

    If a class has a single row, it is a training row.
    """
    counted = np.flatnonzero(targets.row_weights())
    single = np.zeros(len(counted), dtype=bool)
    labels, n_classes = None, 0
    if targets.encoded.ndim == 1:
        labels = targets.encoded[counted]
        sizes = np.bincount(labels)
        single, n_classes = sizes[labels] == 1, int(np.count_nonzero(sizes))
        labels = labels[~single]
    try:
        if single.any() and fraction * len(counted) <= n_classes - 1:
            raise ValueError(
                "The least populated class in y has only 1 member, and too few rows would be set "
                f"aside for the {n_classes} classes."
            )
        rows, held_out = train_test_split(
            counted[~single], test_size=fraction, stratify=labels, random_state=random_state
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping=True could not set aside validation_fraction={fraction} of "
            f"{len(counted)} rows: {error}"
        ) from error
    return np.concatenate([rows, counted[single]]), held_out


class HeldOut:
    """Validation rows.

    Parameters
    ----------
    design : Design
        Their features, in the form in which the network takes them while it trains.
    targets : Targets
        Their targets.
    """

    def __init__(self, design: Design, targets: Targets):
        self.design = design
        self.targets = targets
        self._loss = targets.loss(design.dtype)

    def validate(
        self,
        scores: Callable[[Design], Array],
        most_probable: Callable[[Array], Array],
        scorer: Callable[[], float] | None,
        by_loss: bool,
    ) -> Validation:
        """Return the loss and the score of a network, computed block by block.

        Parameters
        ----------
        scores : callable
            Returns class-major scores of rows.
        most_probable : callable
            Returns the position of the most probable class for such scores.
        scorer : callable or None
            Returns the score; None for the accuracy.
        by_loss : bool
            Whether training is judged by the loss rather than by the score.
        """
        loss, right = 0.0, np.empty(self.design.n_rows)
        for rows in self.design.blocks(self._loss.n_outputs):
            part = scores(self.design[rows])
            right[rows] = true_probabilities(most_probable(part), self.targets.encoded[rows])
            loss += self._loss.value_and_residual(part, rows)
        loss /= self.design.n_rows
        if scorer is not None:
            score = float(scorer())
        else:
            score = float(np.average(right, weights=self.targets.row_weights()))
        return Validation(-loss if by_loss else score, loss, score)

    def temperature(
        self, scores: Callable[[Design], Array], combine: Callable[[Array], Array]
    ) -> float:
        """Return the temperature of least loss, by which scores are divided, or 1.

        `combine` makes class-major scores of what `scores` returns once it has been divided; rows
        are along its last axis.

        Fitting one parameter raises the log-likelihood by half a nat on average even if the true
        temperature is 1. So a temperature other than 1 must bring more than that (Guo, Pleiss, Sun
        and Weinberger, "On calibration of modern neural networks", ICML 2017).
        """
        blocks = self.design.blocks(self._loss.n_outputs)
        found = [scores(self.design[rows]).astype(np.float64) for rows in blocks]
        known, rows = np.concatenate(found, axis=-1), slice(0, self.design.n_rows)
        loss = self.targets.loss(np.float64)

        def total(log_temperature: float) -> float:
            return float(loss.value_and_residual(combine(known / np.exp(log_temperature)), rows))

        best = minimize_scalar(total, bounds=(-1, 1), method="bounded", options={"xatol": 1e-3})
        return float(np.exp(best.x)) if total(0.0) - best.fun > _LEAST_GAIN else 1.0
