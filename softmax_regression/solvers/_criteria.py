"""When a full-batch solver may stop: numbers that fall to 0 at the minimum.

`RelativeGap` is the certificate of the convex objectives, an upper bound of how much lower the
objective could still go, relative to its value. It is in the units of what is minimised, so one
tolerance fits all data, which no norm of a gradient does. `GradientNorm` is for the network, whose
minima cannot be certified.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression.objectives import Objective

Array = NDArray[Any]

_CG_STEPS = 50


class Criterion(ABC):
    """A number that falls to 0 at the minimum."""

    name: str

    @abstractmethod
    def __call__(
        self,
        objective: Objective,
        params: Array,
        value: float,
        gradient: Array,
        enough: float = np.inf,
    ) -> float:
        """Evaluate it, given the objective's value and gradient.

        Once it is known to exceed `enough`, any larger number may be returned.
        """

    def costly(self, objective: Objective) -> bool:
        """Whether evaluating it takes passes over the data."""
        return False


class RelativeGap(Criterion):
    """A bound of ``(F(params) − min F) / F(params)``.

    By the dual of the penalised problem where it has one, else by the Newton decrement, which
    estimates the same from the local quadratic model.
    """

    name = "relative optimality gap"

    def __call__(
        self,
        objective: Objective,
        params: Array,
        value: float,
        gradient: Array,
        enough: float = np.inf,
    ) -> float:
        scale = max(value, np.finfo(np.float64).tiny)
        gap = objective.optimality_gap(params, value, gradient, enough * scale)
        if np.isnan(gap):
            gap = newton_decrement(objective, params, gradient, enough * scale)
        return max(gap, 0.0) / scale

    def costly(self, objective: Objective) -> bool:
        return not objective.has_dual


class GradientNorm(Criterion):
    """The largest absolute entry of the gradient."""

    name = "largest entry of the gradient"

    def __call__(
        self,
        objective: Objective,
        params: Array,
        value: float,
        gradient: Array,
        enough: float = np.inf,
    ) -> float:
        return float(np.abs(gradient).max(initial=0.0))


def newton_decrement(objective: Objective, params: Array, gradient: Array, enough: float) -> float:
    r"""Estimate ``F − min F`` as :math:`\tfrac12 g^\top H^{-1} g`, by conjugate gradients.

    Their estimates only ever grow towards it (Golub and Meurant, *Matrices, Moments and
    Quadrature*, chapter 12), so the sum may stop as soon as it exceeds `enough`, which makes the
    answer "not yet" cheap.
    """
    residual, decrement = gradient.copy(), 0.0
    direction, square = residual.copy(), float(residual @ residual)
    for _ in range(min(_CG_STEPS, len(params))):
        product = objective.hessian_product(params, direction)
        curvature = float(direction @ product)
        if not curvature > 0:  # the gradient has no part left that the curvature can see
            break
        growth = 0.5 * square * square / curvature
        decrement += growth
        if decrement > enough or growth < 1e-3 * decrement:
            break
        residual -= square / curvature * product
        square, previous = float(residual @ residual), square
        direction = residual + square / previous * direction
    return decrement
