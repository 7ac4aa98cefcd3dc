"""`SmallMLP`: a feed-forward network with softmax output as a scikit-learn estimator.

This file speaks scikit-learn: parameters, validation, fitted attributes. Back-propagation is in
`objectives/`, the training loop in `solvers/`.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import _fit_context
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.metaestimators import available_if

from softmax_regression._classifier import Array, BaseSoftmaxClassifier, Stream, most_probable
from softmax_regression._targets import Targets, check_more_than_one_class
from softmax_regression.design import Design
from softmax_regression.functional import ACTIVATIONS
from softmax_regression.objectives import Layout, NetworkCrossEntropy, forward
from softmax_regression.solvers import (
    LEARNING_RATES,
    GradientNorm,
    SolverResult,
    StopReason,
    minimize_lbfgs,
    minimize_minibatch,
)


def _can_stream(estimator: SmallMLP) -> bool:
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit needs solver='adam' or 'sgd', got 'lbfgs'.")
    return True


class SmallMLP(BaseSoftmaxClassifier):
    r"""A small feed-forward network (multi-layer perceptron) with softmax output.

    Each hidden layer multiplies by its weights, adds intercepts and applies the activation; the
    scores of the last layer go through softmax. Minimises the mean cross-entropy plus
    ``alpha / (2 n) * ||weights||²``, with n the batch size times the mean weight of a row (for
    'lbfgs' the summed weight of all), as scikit-learn's `MLPClassifier` does; parameters and
    attributes have its names and meanings.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Number of units in each hidden layer. An empty list is softmax regression.
    activation : str, default='relu'
        Activation of the hidden layers: a name in `softmax_regression.functional.ACTIVATIONS`,
        which are 'identity', 'logistic', 'tanh', 'relu', 'leaky_relu', 'elu', 'softplus', 'silu'
        and 'gelu'.
    solver : {'adam', 'sgd', 'lbfgs'}, default='adam'
        'adam' and 'sgd' train on minibatches, 'lbfgs' on all rows at a time, which suits small
        data.
    alpha : float, default=0.0001
        Strength of the L2 penalty on the weights, not on the intercepts.
    batch_size : int or 'auto', default='auto'
        Rows in a minibatch; 'auto' is ``min(200, n_samples)``.
    learning_rate : {'constant', 'invscaling', 'adaptive'}, default='constant'
        How the step size of 'sgd' and 'adam' changes: not at all, as
        ``learning_rate_init / (n_rows_seen + 1) ** power_t``, or divided by 5 whenever the loss
        (or the validation score) has stopped improving.
    learning_rate_init : float, default=0.001
        The first step size.
    power_t : float, default=0.5
        The exponent of 'invscaling'.
    max_iter : int, default=200
        Most epochs, or iterations of 'lbfgs'.
    shuffle : bool, default=True
        Whether to take the rows in a new order in each epoch.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, the order of rows, and the validation split.
    tol : float, default=1e-4
        Least improvement of the mean loss (or of the validation score) that counts; for 'lbfgs',
        the largest entry of the gradient at which to stop.
    verbose : int or bool, default=False
        Whether to print a line for each epoch.
    warm_start : bool, default=False
        Whether `fit` begins at the previous solution.
    momentum : float, default=0.9
        Momentum of 'sgd', between 0 and 1.
    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool, default=False
        Whether to set rows aside and stop when the accuracy on them has not improved for
        `n_iter_no_change` epochs; the best epoch's parameters are kept. Not for 'lbfgs'.
    validation_fraction : float, default=0.1
        The share of rows set aside, in the proportions of the classes.
    beta_1, beta_2 : float, default=0.9, 0.999
        Decay of Adam's averages of the gradient and of its square, in [0, 1).
    epsilon : float, default=1e-8
        Keeps Adam's steps finite.
    n_iter_no_change : int or inf, default=10
        Epochs without enough improvement after which training ends.
    max_fun : int, default=15000
        Most evaluations of 'lbfgs'.
    class_weight : dict or 'balanced', default=None
        Weights ``{label: weight}`` that multiply the sample weights; classes that are not named
        have weight 1. 'balanced' gives all classes the same total.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels; for class probabilities, their columns.
    coefs_ : list of ndarray of shape (n_inputs, n_units)
        Weights of each layer: views of one flat vector.
    intercepts_ : list of ndarray of shape (n_units,)
        Intercepts of each layer, likewise.
    loss_ : float
        The mean loss of the last epoch.
    best_loss_ : float or None
        The smallest of any epoch; None with early stopping.
    loss_curve_ : list of float
        The mean loss of each epoch or iteration, those of earlier fits included in a warm start
        or stream.
    validation_scores_ : list of float or None
        Accuracy on the rows set aside after each epoch; None without early stopping.
    best_validation_score_ : float or None
        The best of them.
    n_iter_ : int
        Epochs or iterations of the last call of `fit` or `partial_fit`.
    t_ : int
        Rows seen in training, likewise counted on in a warm start or stream.
    n_layers_ : int
        Number of layers, input and output included.
    n_outputs_ : int
        Number of scores: n_classes, or 1 for two classes.
    out_activation_ : str
        'softmax', or 'logistic' for two classes.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X had names that are all strings.

    See Also
    --------
    SoftmaxRegression : The same without hidden layers; its minimum is unique.
    sklearn.neural_network.MLPClassifier : scikit-learn's.

    Notes
    -----
    float32 data is trained in float32, other data in float64.

    References
    ----------
    D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning representations by back-propagating
    errors", Nature 323, 1986.
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010: the initial weights.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from softmax_regression import SmallMLP
    >>> X, y = make_moons(300, noise=0.1, random_state=0)
    >>> model = SmallMLP((20, 20), solver="lbfgs", random_state=0).fit(X, y)
    >>> model.score(X, y)
    1.0
    >>> [W.shape for W in model.coefs_]
    [(2, 20), (20, 20), (20, 1)]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions({"adam", "sgd", "lbfgs"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions(set(LEARNING_RATES))],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: int | bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Any = None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.class_weight = class_weight

    @property
    def coefs_(self) -> list[Array]:
        """Weights of each layer, of shape (n_inputs, n_units)."""
        return [weights.T for weights in self._views()[0]]

    @property
    def intercepts_(self) -> list[Array]:
        """Intercepts of each layer."""
        return self._views()[1]

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels; or class probabilities, rows that sum to 1, whose columns are the classes (a
            DataFrame's column names become `classes_`).
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A weight of 0 is the same as leaving the row out.

        Returns
        -------
        SmallMLP
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            For data or parameters out of range; the estimator is then as it was before.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If `max_iter` cut training short (the last tenth of the epochs brought more than a
            tenth of the whole decrease of the loss, so that it was not levelling off), if the loss
            ended above that of guessing, or if training was interrupted.
        """
        with self._unchanged_on_failure():
            previous = self._previous()
            design = self._validate_rows(X, reset=True)
            targets = self._encode(y, design, sample_weight)
            check_more_than_one_class(targets, type(self).__name__)
            random_state = check_random_state(self.random_state)
            self._layer_sizes = self._sizes(design, targets.classes)
            params = self._start(targets.classes, previous, random_state, design.dtype)
            self.classes_: Array = targets.classes
            rows, held_out = self._split(targets, random_state)
            objective = self._objective(design, targets, rows)
            validate = self._validation(design, targets, held_out)
            result = self._train(objective, params, validate, random_state)
            self._refuse_divergence(result.params, result.value, result.n_iter)
            self._stream: Stream | None = None
            # scikit-learn counts on in a warm start
            earlier: list[float] = [] if previous is None else self.loss_curve_
            seen: int = 0 if previous is None else vars(self)["t_"]
            self._store(result)
            self.loss_curve_: list[float] = [*earlier, *result.loss_curve]
            self.t_: int = seen + result.n_iter * len(objective.rows)
        self._warn(result)
        return self

    @available_if(_can_stream)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Update the network by one pass over some rows, in minibatches.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The next rows.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Their labels or class probabilities.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        classes : array-like of shape (n_classes,), default=None
            All classes of the stream: needed in the first call (unless y holds probabilities).

        Returns
        -------
        SmallMLP
            The updated estimator.

        Raises
        ------
        ValueError, TypeError
            For data or parameters out of range; the estimator is then as it was before.
        """
        if self.early_stopping:
            raise ValueError("partial_fit does not go with early_stopping=True: it is one epoch.")
        with self._unchanged_on_failure():
            first = not hasattr(self, "_params")
            known = self._stream_classes(classes, y)
            design = self._validate_rows(X, reset=first)
            targets = self._encode(y, design, sample_weight, known)
            stream = self._resumed_stream(self.solver)
            weight = stream.count(targets)
            rate = LEARNING_RATES[self.learning_rate](self.learning_rate_init, self.power_t)
            if first:
                self._layer_sizes = self._sizes(design, known)
                self._params = self._start(known, None, stream.random_state, design.dtype)
                self.t_ = 0
                self.loss_curve_ = []
            self.classes_ = known
            params = self._params.copy()
            objective = self._objective(design, targets)
            batches = self._batches(len(objective.rows), stream.random_state)
            loss = stream.train(objective, params, rate, batches, weight)
            self._refuse_divergence(params, loss, 1)
            self.t_ += len(objective.rows)
            self._stream = stream
            curve = [*self.loss_curve_, loss]
            result = SolverResult(params, loss, 1, StopReason.MAX_ITER, curve)
            self._store(result)
        return self

    # -- pieces ------------------------------------------------------------------------------------

    def _scorer(self) -> tuple[Callable[[Design], Array], int]:
        layout, activation = Layout(self._layer_sizes), ACTIVATIONS[self.activation]

        def scores(block: Design) -> Array:
            return forward(block, layout, activation, self._params)[0][-1]

        return scores, max(self._layer_sizes[1:])

    def _views(self) -> tuple[list[Array], list[Array]]:
        if "_params" not in vars(self):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        return Layout(self._layer_sizes).views(self._params)

    def _previous(self) -> tuple[list[int], Array, Array] | None:
        """Return the solution to begin at, if there is one and it is wanted."""
        if not self.warm_start or not hasattr(self, "_params"):
            return None
        return self._layer_sizes, self.classes_, self._params

    def _sizes(self, design: Design, classes: Array) -> list[int]:
        """Return the sizes of all layers, the input and the output included."""
        try:
            hidden = np.atleast_1d(np.asarray(self.hidden_layer_sizes))
        except ValueError:  # ragged
            hidden = np.zeros((0, 0))
        if hidden.ndim != 1 or (
            hidden.size and (hidden.dtype.kind not in "iu" or hidden.min() < 1)
        ):
            raise ValueError(
                "hidden_layer_sizes must be a positive integer or a sequence of them, got "
                f"{self.hidden_layer_sizes!r}."
            )
        n_outputs = 1 if len(classes) == 2 else len(classes)
        return [design.n_columns, *(int(size) for size in hidden), n_outputs]

    def _start(self, classes: Array, previous: Any, random_state: Any, dtype: Any) -> Array:
        """Draw initial parameters (Glorot and Bengio), or copy the previous ones."""
        if previous is not None:
            sizes, known, params = previous
            if sizes != self._layer_sizes or not np.array_equal(known, classes):
                raise ValueError(
                    "warm_start=True needs the classes and layers of the previous fit: those were "
                    f"{known.tolist()} and {sizes}, now they are {classes.tolist()} and "
                    f"{self._layer_sizes}."
                )
            return params.astype(dtype)
        layout = Layout(self._layer_sizes)
        params = np.empty(layout.n_params)
        factor = 2.0 if self.activation == "logistic" else 6.0
        for weights, intercepts in zip(*layout.views(params), strict=True):
            bound = np.sqrt(factor / sum(weights.shape))
            weights.T[...] = random_state.uniform(-bound, bound, weights.T.shape)
            intercepts[...] = random_state.uniform(-bound, bound, intercepts.shape)
        return params.astype(dtype)

    def _objective(
        self, design: Design, targets: Targets, rows: Array | None = None
    ) -> NetworkCrossEntropy:
        """Return the objective on all rows, or on some."""
        loss = targets.loss(design.dtype, rows)
        # scikit-learn's penalty is divided by the weight of the rows that a step looks at
        n_counted = len(loss.rows)
        size = n_counted if self.solver == "lbfgs" else self._batch_size(n_counted)
        weight = targets.row_weights() if rows is None else targets.row_weights()[rows]
        unit = targets.total_weight / len(targets.encoded)  # of weights whose mean over all is 1
        mean_weight = unit * weight.sum() / n_counted
        return NetworkCrossEntropy(
            design if rows is None else design[rows],
            loss,
            Layout(self._layer_sizes),
            ACTIVATIONS[self.activation],
            float(self.alpha) / (mean_weight * size),
        )

    def _train(
        self,
        objective: NetworkCrossEntropy,
        params: Array,
        validate: Callable[[Array], float] | None,
        random_state: Any,
    ) -> SolverResult:
        if self.solver == "lbfgs":
            result = minimize_lbfgs(
                objective,
                params.astype(np.float64),
                criterion=GradientNorm(),
                tol=self.tol,
                max_iter=self.max_iter,
                max_fun=self.max_fun,
                report=self._report(),
            )
            result.params = result.params.astype(objective.dtype, copy=False)
            return result
        return minimize_minibatch(
            objective,
            params,
            self._optimizer(self.solver),
            LEARNING_RATES[self.learning_rate](self.learning_rate_init, self.power_t),
            self._batches(len(objective.rows), random_state),
            tol=self.tol,
            max_iter=self.max_iter,
            n_iter_no_change=self.n_iter_no_change,
            validate=validate,
            report=self._report(),
        )

    def _split(self, targets: Targets, random_state: Any) -> tuple[Array | None, Array | None]:
        """Return the rows to train on and those to validate on; None for all and for none."""
        if not self.early_stopping or self.solver == "lbfgs":
            return None, None
        counted = np.flatnonzero(targets.row_weights())
        hard = targets.encoded.ndim == 1
        try:
            rows, held_out = train_test_split(
                counted,
                test_size=self.validation_fraction,
                stratify=targets.encoded[counted] if hard else None,
                random_state=random_state,
            )
        except ValueError as error:
            raise ValueError(
                f"early_stopping=True could not set aside validation_fraction="
                f"{self.validation_fraction} of {len(counted)} rows: {error}"
            ) from error
        return rows, held_out

    def _validation(
        self, design: Design, targets: Targets, rows: Array | None
    ) -> Callable[[Array], float] | None:
        """Return what computes the accuracy of parameters on rows set aside."""
        if rows is None:
            return None
        held_out, encoded = design[rows], targets.encoded[rows]
        weight = targets.row_weights()[rows]
        layout, activation = Layout(self._layer_sizes), ACTIVATIONS[self.activation]

        def accuracy(params: Array) -> float:
            scores = forward(held_out, layout, activation, params)[0][-1]
            best = most_probable(scores)
            right = best == encoded if encoded.ndim == 1 else encoded[np.arange(len(best)), best]
            return float(np.average(right, weights=weight))

        return accuracy

    def _store(self, result: SolverResult) -> None:
        self._params = result.params
        self.loss_ = result.value
        self.loss_curve_ = result.loss_curve
        self.n_iter_ = result.n_iter
        self.validation_scores_ = scores = result.validation_scores
        self.best_validation_score_ = max(scores) if scores else None
        self.best_loss_ = None if scores else min(result.loss_curve, default=result.value)
        self.n_layers_ = len(self._layer_sizes)
        self.n_outputs_ = self._layer_sizes[-1]
        self.out_activation_ = "logistic" if self.n_outputs_ == 1 else "softmax"

    def _warn(self, result: SolverResult) -> None:
        if self._worse_than_guessing(result):
            remedy = (
                f"Its loss of {result.value:.3g} is worse than guessing: lower learning_rate_init, "
                "or scale the features, for example with sklearn.preprocessing.StandardScaler."
            )
        elif result.reason is StopReason.INTERRUPTED:
            remedy = "The parameters reached so far are kept."
        elif result.reason is StopReason.ROUNDING and result.n_iter == 0:
            remedy = "No step was taken at all: scale the features."
        elif result.reason in (StopReason.MAX_ITER, StopReason.MAX_FUN) and self._cut_short(result):
            remedy = (
                "The loss was still falling: allow more, raise learning_rate_init, or scale the "
                "features, for example with sklearn.preprocessing.StandardScaler."
            )
        else:
            return
        self._warn_stopped(result, f". {remedy}")

    def _cut_short(self, result: SolverResult) -> bool:
        """Whether the last tenth of the epochs brought more than a tenth of the whole decrease."""
        losses = result.loss_curve
        if len(losses) < 2:
            return True
        recent = losses[-1 - max(1, len(losses) // 10)] - losses[-1]
        noise = 0.0 if self.solver == "lbfgs" else self.tol
        # fewer than ten say nothing of levelling off
        share = 0.1 if len(losses) >= 10 else 0.0
        return recent > max(noise, share * (losses[0] - losses[-1]))
