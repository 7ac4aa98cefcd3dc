"""What `SmallMLP` decides from its parameters and the data before and after training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from softmax_regression._estimators.targets import encode_targets
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets
from softmax_regression._solvers.minibatch.learning_rates import LEARNING_RATES
from softmax_regression._solvers.result import SolverResult, StopReason
from softmax_regression.functional import ACTIVATIONS, Activation
from softmax_regression.neural_network._table_input import MANY_ROWS
from softmax_regression.neural_network._training import HeldOutRows, Inputs, Recipe

_NARROW = 100  # inputs of a layer: its rate needs no reduction
_TOO_FEW_ROWS = 150  # rows: too few to set any aside
# What the last half of the epochs has to bring for the loss to count as still falling: shares of
# the loss that is left and of its whole decrease. Below, more epochs hardly make a better network.
_OF_WHAT_IS_LEFT, _OF_THE_DECREASE = 0.1, 0.02
_TELLING_EPOCHS = 10  # epochs that are enough to see that


@dataclass(frozen=True)
class Defaults:
    """What parameters are where they are 'auto'.

    Parameters
    ----------
    hidden_layer_sizes, learning_rate, alpha
        The parameters.
    batches : tuple of int
        How many batches there are in an epoch, unless they would have fewer or more rows than the
        other two numbers.
    learning_rate_init : float
        That of layers with few inputs, or of a large table.
    few_inputs : int
        How many those are at most, in the default layers.
    calibrates : bool
        Whether to divide scores by a temperature.
    """

    hidden_layer_sizes: tuple[int, ...]
    learning_rate: str
    alpha: float
    batches: tuple[int, int, int]
    learning_rate_init: float
    few_inputs: int = _NARROW
    calibrates: bool = False


# With fewer rows than a hundred, 'lbfgs' gets no stronger penalty than with a hundred.
MOST_L2 = 0.03
# Chosen by benchmarks.defaults, as benchmarks/README.md tells.
USUAL = Defaults((100,), "constant", 0.03, (50, 32, 256), 0.003)
_LBFGS = replace(USUAL, alpha=3.0)
_MOST_COLUMNS = 400  # With more, a wide layer takes long.
_SMALL_TABLE = replace(USUAL, hidden_layer_sizes=(400,), few_inputs=_MOST_COLUMNS)
_LARGE_TABLE = Defaults((128, 128), "warm-restarts", 0.1, (100, 128, 256), 0.01, calibrates=True)


def choose_defaults(
    solver: str, n_columns: int, encoded: bool, targets: Targets, held_out: bool
) -> Defaults:
    """Return the defaults for a solver, and for features as they are or encoded.

    Restarts go by rows that are held out.
    """
    if solver == "lbfgs":
        return _LBFGS
    if np.count_nonzero(targets.row_weights()) < MANY_ROWS:
        return _SMALL_TABLE if n_columns <= _MOST_COLUMNS else USUAL
    return _LARGE_TABLE if encoded and held_out else USUAL


def rate_for_inputs(defaults: Defaults, layer_sizes: Sequence[int], hidden: Any) -> float:
    """Return the first step size: the more inputs move together, the farther a step goes.

    Of the codes of a feature few move at a time.
    """
    if defaults is _LARGE_TABLE:
        return defaults.learning_rate_init
    few = defaults.few_inputs if isinstance(hidden, str) else _NARROW
    return defaults.learning_rate_init * (few / max(few, *layer_sizes[:-1])) ** 0.5


def hidden_sizes(hidden_layer_sizes: Any, default: tuple[int, ...]) -> list[int]:
    """Return the numbers of units of the hidden layers."""
    if isinstance(hidden_layer_sizes, str):  # 'auto'
        return list(default)
    try:
        hidden = np.atleast_1d(np.asarray(hidden_layer_sizes))
    except ValueError:  # ragged
        hidden = np.zeros((0, 0))
    if hidden.ndim != 1 or (hidden.size and (hidden.dtype.kind not in "iu" or hidden.min() < 1)):
        raise ValueError(
            "hidden_layer_sizes must be a positive integer or a sequence of them, got "
            f"{hidden_layer_sizes!r}."
        )
    return [int(size) for size in hidden]


def activation_of(activation: Any) -> Activation:
    """Return an activation given by its name or as it is."""
    return ACTIVATIONS[activation] if isinstance(activation, str) else activation


def name_of_activation(activation: Any) -> Any:
    """Return the name that an activation is known by, or itself if it is one of a user's own."""
    return ACTIVATIONS[activation].name if isinstance(activation, str) else activation


def choose_solver(network: Any, targets: Targets, validated: bool) -> str:
    """Return the name of the solver: L-BFGS for few rows, unless minibatches are asked for."""
    if network.solver == "lbfgs" and validated:
        raise ValueError("Rows to validate on need solver='adam' or 'sgd', got solver='lbfgs'.")
    if network.solver == "lbfgs" and network.n_members > 1:
        raise ValueError(
            f"n_members={network.n_members!r} needs solver='adam' or 'sgd', got solver='lbfgs'."
        )
    if network.solver != "auto":
        return network.solver
    wants_batches = (
        validated
        or network.early_stopping is True
        or network.weight_decay > 0
        or network.max_grad_norm is not None
        or np.any(network.dropout)
        or network.n_members > 1
    )
    few = np.count_nonzero(targets.row_weights()) < _TOO_FEW_ROWS
    return "lbfgs" if few and not wants_batches else "adam"


def sets_rows_aside(network: Any, targets: Targets) -> bool:
    """Whether some of the rows are not trained on, to see when to stop."""
    if network.solver_ == "lbfgs":
        return False
    if network.early_stopping == "auto":
        counted = targets.encoded[targets.row_weights() > 0]
        n_rows = len(counted)
        sizes = np.full(len(targets.classes), n_rows)
        if counted.ndim == 1:
            sizes = np.bincount(counted)
            sizes = sizes[sizes > 1]  # a class of one row is trained on
            n_rows = int(sizes.sum())
        fraction = min(network.validation_fraction, 1 - network.validation_fraction)
        return bool(n_rows >= _TOO_FEW_ROWS and n_rows * fraction >= len(sizes))
    return bool(network.early_stopping)


def check_dropout(dropout: Any, n_layers: int, solver: str, asked: str) -> None:
    """Raise unless there is a rate for each layer, and a solver that knows dropout.

    `solver` is the one chosen, `asked` the parameter.
    """
    rates = np.atleast_1d(np.asarray(dropout, dtype=np.float64))
    if np.ndim(dropout) and rates.shape != (n_layers,):
        raise ValueError(
            f"dropout={dropout!r} must be one number, or {n_layers}: for the features and "
            "for each hidden layer."
        )
    if not ((rates >= 0) & (rates < 1)).all():
        raise ValueError(f"dropout must be at least 0 and below 1, got {dropout!r}.")
    if rates.any() and solver == "lbfgs":
        raise ValueError(
            f"dropout={dropout!r} needs solver='adam' or 'sgd', got solver={asked!r}"
            f"{'' if asked == 'lbfgs' else ', which for so few rows is lbfgs'}."
        )


def is_cut_short(
    result: SolverResult, solver: str, learning_rate: str, tol: float, early_stopping: Any
) -> bool:
    """Whether training ended by a limit while the loss was not yet levelling off."""
    limits = (StopReason.MAX_ITER, StopReason.MAX_FUN, StopReason.MAX_TIME)
    # One that is planned to the end has levelled off by its own rate.
    if result.reason not in limits or LEARNING_RATES[learning_rate].planned:
        return False
    losses = np.asarray(result.loss_curve)
    if result.validations and early_stopping:  # for them to say when to stop
        losses = np.minimum.accumulate([seen.loss for seen in result.validations])
    if len(losses) < 2:
        return True
    recent = losses[-1 - len(losses) // 2] - losses[-1]
    noise = 0.0 if solver == "lbfgs" else tol
    if len(losses) >= _TELLING_EPOCHS:  # fewer say nothing of levelling off
        fallen = losses[0] - losses[-1]
        noise = max(noise, _OF_WHAT_IS_LEFT * losses[-1], _OF_THE_DECREASE * fallen)
    return bool(recent > noise)


def remedy(network: Any, result: SolverResult, learning_rate: str) -> str | None:
    """Return what to do about how training ended, if there is anything to do."""
    if network._worse_than_guessing(result):
        return f"Its loss of {result.value:.3g} is worse than guessing: {_gentler(network)}."
    if result.reason is StopReason.INTERRUPTED:
        return "The parameters reached so far are kept."
    if result.reason is StopReason.ROUNDING and result.n_iter == 0:
        return f"No step was taken at all: {_gentler(network)}."
    if not is_cut_short(
        result, network.solver_, learning_rate, network.tol, network.early_stopping
    ):
        return None
    limit = "max_time" if result.reason is StopReason.MAX_TIME else "max_iter"
    return f"The loss was still falling: raise {limit}, or {_gentler(network, 'raise')}."


def _gentler(network: Any, how: str = "lower") -> str:
    """Say what may help, of what this solver and these features leave to do."""
    if not network.standardize:
        return "scale the features, as standardize=True does"
    if network.solver_ == "lbfgs":
        return "try solver='adam'"
    return f"{how} learning_rate_init"


def starting_point(
    network: Any, recipe: Recipe, classes: Array, previous: Any, random_state: np.random.RandomState
) -> Callable[[Inputs], Array]:
    """Return what gives initial parameters, for the features as they are scaled.

    Those drawn are the same for each scaling; the previous ones are the same network.
    """
    if previous is None:
        params = recipe.draw(random_state)
        return lambda scaling: params.copy()
    layout, known, last = previous
    if layout.sizes != network._layer_sizes or not np.array_equal(known, classes):
        raise ValueError(
            "warm_start=True needs the classes and layers of the previous fit: those were "
            f"{known.tolist()} and {layout.sizes}, now they are {classes.tolist()} and "
            f"{network._layer_sizes}."
        )
    if layout.n_members != network.n_members:
        raise ValueError(
            "warm_start=True goes on with the networks of the previous fit, which were "
            f"{layout.n_members}, not n_members={network.n_members!r}: set it back, or set "
            "warm_start=False."
        )
    if network._activation != name_of_activation(network.activation):
        raise ValueError(
            "warm_start=True goes on with the network of the previous fit, whose activation is "
            f"{network._activation!r}, not {network.activation!r}: set it back, or set "
            "warm_start=False."
        )
    return lambda scaling: scaling.unfolded(recipe.layout, last)


def rows_to_validate_on(network: Any, X: Any, y: Any, sample_weight: Any) -> HeldOutRows:
    """Validate rows that were given to validate on."""
    if X is None or y is None:
        raise ValueError("X_val and y_val must be given together.")
    try:
        design = network._validate_rows(X, reset=False)
        targets = encode_targets(
            y,
            design.n_rows,
            classes=network.classes_,
            sample_weight=sample_weight,
            class_weight=None,
            estimator=type(network).__name__,
        )
    except (ValueError, TypeError) as error:
        raise type(error)(f"In X_val, y_val or sample_weight_val: {error}") from error
    counted = np.flatnonzero(targets.row_weights())
    return HeldOutRows(design, targets, network._score_on(X, y, counted))
