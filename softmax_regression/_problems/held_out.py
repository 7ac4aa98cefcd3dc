"""Rows that a network is not trained on, to see after each epoch how it does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.model_selection import train_test_split

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.row_scores import true_probabilities
from softmax_regression._losses.targets import Targets
from softmax_regression._solvers.minibatch.minibatch import Validation


def split(
    targets: Targets, fraction: float, random_state: np.random.RandomState
) -> tuple[Array, Array]:
    """Divide the rows of positive weight into those to train on and those to set aside."""
    counted = np.flatnonzero(targets.row_weights())
    hard = targets.encoded.ndim == 1
    try:
        rows, held_out = train_test_split(
            counted,
            test_size=fraction,
            stratify=targets.encoded[counted] if hard else None,
            random_state=random_state,
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping=True could not set aside validation_fraction={fraction} of "
            f"{len(counted)} rows: {error}"
        ) from error
    return rows, held_out


class HeldOut:
    """Some rows, and what a network's scores on them are worth.

    Parameters
    ----------
    design : Design
        Their features, as the network takes them while it trains.
    targets : Targets
        Of the same rows.
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
        """Look at the rows, block by block.

        Parameters
        ----------
        scores : callable
            Gives class-major scores for rows.
        most_probable : callable
            Gives the position of the most probable class for such scores.
        scorer : callable or None
            Gives the score; None for the accuracy.
        by_loss : bool
            Whether the goal is a small loss rather than a large score.
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
