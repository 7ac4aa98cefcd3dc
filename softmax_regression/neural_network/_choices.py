"""The choices that `SmallMLP` makes before and after training, from its parameters and data."""

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

_FEW_INPUTS = 100  # Layers of at most so many inputs need no reduction of the learning rate.
_MIN_ROWS_FOR_VALIDATION = 150  # No rows are set aside for validation if there are fewer.
# The loss counts as still falling if the last half of the epochs lowered it by more than these
# fractions of the final loss and of its total decrease; otherwise more epochs hardly help.
_MIN_GAIN_PER_FINAL_LOSS, _MIN_GAIN_PER_TOTAL_DECREASE = 0.1, 0.02
_MIN_EPOCHS_FOR_TREND = 10  # With fewer epochs, any decrease counts as still falling.


@dataclass(frozen=True)
class Defaults:
    """The values of parameters that are set to 'auto'.

    Parameters
    ----------
    hidden_layer_sizes, learning_rate, alpha
        The values of the parameters of these names.
    batches : tuple of int
        The number of batches in an epoch, and the least and the largest number of rows of a batch,
        which take precedence.
    learning_rate_init : float
        The initial learning rate for layers with few inputs, or for a large table.
    few_inputs : int
        The largest number of inputs that counts as few, if the layers are the default ones.
    calibrates : bool
        Whether to divide scores by a temperature after training.
    """

    hidden_layer_sizes: tuple[int, ...]
    learning_rate: str
    alpha: float
    batches: tuple[int, int, int]
    learning_rate_init: float
    few_inputs: int = _FEW_INPUTS
    calibrates: bool = False


# The default penalty of 'lbfgs' is not stronger for fewer than a hundred rows than for a hundred.
MOST_L2 = 0.03
# These values were chosen by benchmarks.defaults, as described in benchmarks/README.md.
USUAL = Defaults((100,), "constant", 0.03, (50, 32, 256), 0.003)
_LBFGS = replace(USUAL, alpha=3.0)
_MAX_COLUMNS_OF_SMALL_TABLE = 400  # With more columns, a wide layer is slow.
_SMALL_TABLE = replace(USUAL, hidden_layer_sizes=(400,), few_inputs=_MAX_COLUMNS_OF_SMALL_TABLE)
_LARGE_TABLE = Defaults((96, 96), "warm-restarts", 0.1, (100, 128, 256), 0.01, calibrates=True)


def choose_defaults(
    solver: str, n_columns: int, encoded: bool, targets: Targets, held_out: bool
) -> Defaults:
    """Return the defaults for a solver, for features that are encoded or not.

    Those of a large table have warm restarts, which need rows held out for validation.
    """
    if solver == "lbfgs":
        return _LBFGS
    if np.count_nonzero(targets.row_weights()) < MANY_ROWS:
        return _SMALL_TABLE if n_columns <= _MAX_COLUMNS_OF_SMALL_TABLE else USUAL
    return _LARGE_TABLE if encoded and held_out else USUAL


def rate_for_inputs(defaults: Defaults, layer_sizes: Sequence[int], hidden: Any) -> float:
    """Return the initial learning rate, which falls with the square root of the number of inputs.

    The more inputs a unit has, the farther a step of all weights changes it. For a large table the
    rate is not reduced, because only few of the codes of a feature change at a time.
    """
    if defaults is _LARGE_TABLE:
        return defaults.learning_rate_init
    few = defaults.few_inputs if isinstance(hidden, str) else _FEW_INPUTS
    return defaults.learning_rate_init * (few / max(few, *layer_sizes[:-1])) ** 0.5


def hidden_sizes(hidden_layer_sizes: Any, default: tuple[int, ...]) -> list[int]:
    """Return the numbers of units of the hidden layers."""
    if isinstance(hidden_layer_sizes, str):  # 'auto'
        return list(default)
    try:
        hidden = np.atleast_1d(np.asarray(hidden_layer_sizes))
    except ValueError:  # The sequence is ragged.
        hidden = np.zeros((0, 0))
    if hidden.ndim != 1 or (hidden.size and (hidden.dtype.kind not in "iu" or hidden.min() < 1)):
        raise ValueError(
            "hidden_layer_sizes must be a positive integer or a sequence of them, got "
            f"{hidden_layer_sizes!r}."
        )
    return [int(size) for size in hidden]


def activation_of(activation: Any) -> Activation:
    """Return an activation that is given by its name or as an object."""
    return ACTIVATIONS[activation] if isinstance(activation, str) else activation


def name_of_activation(activation: Any) -> Any:
    """Return the canonical name of an activation, or the object itself if it is a user's own."""
    return ACTIVATIONS[activation].name if isinstance(activation, str) else activation


def choose_solver(network: Any, targets: Targets, validated: bool) -> str:
    """Return the name of the solver: L-BFGS for few rows, unless options need minibatches."""
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
    few = np.count_nonzero(targets.row_weights()) < _MIN_ROWS_FOR_VALIDATION
    return "lbfgs" if few and not wants_batches else "adam"


def sets_rows_aside(network: Any, targets: Targets) -> bool:
    """Return whether some of the rows are set aside for validation."""
    if network.solver_ == "lbfgs":
        return False
    if network.early_stopping == "auto":
        counted = targets.encoded[targets.row_weights() > 0]
        n_rows = len(counted)
        sizes = np.full(len(targets.classes), n_rows)
        if counted.ndim == 1:
            sizes = np.bincount(counted)
            sizes = sizes[sizes > 1]  # The row of a class with a single row is trained on.
            n_rows = int(sizes.sum())
        fraction = min(network.validation_fraction, 1 - network.validation_fraction)
        return bool(n_rows >= _MIN_ROWS_FOR_VALIDATION and n_rows * fraction >= len(sizes))
    return bool(network.early_stopping)


def check_dropout(dropout: Any, n_layers: int, solver: str, asked: str) -> None:
    """Raise unless there is a valid rate for each layer, and the solver supports dropout.

    `solver` is the chosen solver, and `asked` the value of the parameter.
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
    """Return whether a limit ended training while the loss was still falling."""
    limits = (StopReason.MAX_ITER, StopReason.MAX_FUN, StopReason.MAX_TIME)
    # A planned schedule lowers the rate to 0 by the last epoch, so that the loss has levelled off.
    if result.reason not in limits or LEARNING_RATES[learning_rate].planned:
        return False
    losses = np.asarray(result.loss_curve)
    if result.validations and early_stopping:  # Early stopping judges by validation losses.
        losses = np.minimum.accumulate([seen.loss for seen in result.validations])
    if len(losses) < 2:
        return True
    recent = losses[-1 - len(losses) // 2] - losses[-1]
    noise = 0.0 if solver == "lbfgs" else tol
    if len(losses) >= _MIN_EPOCHS_FOR_TREND:
        fallen = losses[0] - losses[-1]
        noise = max(
            noise, _MIN_GAIN_PER_FINAL_LOSS * losses[-1], _MIN_GAIN_PER_TOTAL_DECREASE * fallen
        )
    return bool(recent > noise)


def remedy(network: Any, result: SolverResult, learning_rate: str) -> str | None:
    """Return advice about the end of training, or None if there is nothing to advise."""
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
    """Return advice that suits the solver and the scaling of the features."""
    if not network.standardize:
        return "scale the features, as standardize=True does"
    if network.solver_ == "lbfgs":
        return "try solver='adam'"
    return f"{how} learning_rate_init"


def starting_point(
    network: Any, recipe: Recipe, classes: Array, previous: Any, random_state: np.random.RandomState
) -> Callable[[Inputs], Array]:
    """Return a function from the scaling of the features to initial parameters.

    Random parameters are the same for each scaling. With a warm start, the parameters are converted
    to the scaling, so that the network is the previous one.
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
    """Check validation rows that were passed to `fit`, and return them with their score."""
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
