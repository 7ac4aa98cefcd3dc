"""`SmallMLP`: a feed-forward network with softmax output as a scikit-learn estimator.

This file speaks scikit-learn: parameters, validation, fitted attributes. What a fit does is in
`_training.py`, back-propagation in `objectives/`, the loop in `solvers/`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.neural_network import MLPClassifier
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions

from softmax_regression._data.design import Design
from softmax_regression._estimators.callbacks import Watched
from softmax_regression._estimators.classifier import BaseSoftmaxClassifier
from softmax_regression._estimators.export import Layers
from softmax_regression._estimators.parameters import FITS, MINIBATCHES, constraints, described
from softmax_regression._estimators.scoring import scorer_of
from softmax_regression._estimators.state import state_of
from softmax_regression._estimators.streams import Stream, check_parameters_of_stream
from softmax_regression._estimators.types import (
    Activation,
    Auto,
    ClassWeight,
    LearningRateSchedule,
    NetworkSolver,
    Precision,
    RandomState,
    available_if,
    fit_context,
)
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import blas_held_to_one_thread
from softmax_regression._losses.targets import check_more_than_one_class
from softmax_regression._objectives.network.cross_entropy import Network
from softmax_regression._objectives.network.layers import Layout
from softmax_regression._solvers.minibatch.optimizers import Clipping, Decaying, Optimizer
from softmax_regression._solvers.result import SolverResult, StopReason
from softmax_regression.functional import ACTIVATIONS
from softmax_regression.neural_network._choices import (
    check_dropout,
    choose_solver,
    hidden_sizes,
    is_cut_short,
    rows_to_validate_on,
    sets_rows_aside,
    starting_point,
)
from softmax_regression.neural_network._export import mlp_classifier
from softmax_regression.neural_network._training import Recipe, Score, Training

_NARROW = 100  # inputs of a layer: its rate needs no reduction
# Parameters that training takes as they are.
_AS_THEY_ARE = (
    "label_smoothing",
    "standardize",
    "dtype",
    "learning_rate",
    "power_t",
    "max_iter",
    "max_fun",
    "max_time",
    "tol",
    "n_iter_no_change",
    "average",
)


def _can_stream(estimator: SmallMLP) -> bool:
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit needs solver='adam' or 'sgd', got 'lbfgs'.")
    if estimator.early_stopping is True:
        raise AttributeError(
            "partial_fit is one epoch, in which early_stopping=True has nothing to stop: set "
            "early_stopping='auto' or False."
        )
    check_parameters_of_stream(estimator)
    return True


@described
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
        which are 'identity', 'logistic' or 'sigmoid', 'tanh', 'relu', 'leaky_relu', 'elu',
        'softplus', 'silu' and 'gelu'.
    solver : {'auto', 'adam', 'sgd', 'lbfgs'}, default='auto'
        'adam' and 'sgd' train on minibatches, 'lbfgs' on all rows at a time, which suits small
        data. 'auto' is 'lbfgs' for fewer than 150 rows, unless an option is given that it doesn't
        have, else 'adam'.
    alpha : float or 'auto', default='auto'
        Strength of the L2 penalty on the weights, not on the intercepts; 'auto' is 0.03, or 3 for
        'lbfgs'. Sample weights count as numbers of rows: small ones make it stronger.
    weight_decay : float, default=0.0
        By what share of themselves, times the learning rate, weights shrink in each step of 'adam'
        or 'sgd' (decoupled weight decay: with 'adam', AdamW). Not for 'lbfgs'.
    batch_size : int or 'auto', default='auto'
        Rows in a minibatch; 'auto' is a fiftieth of all, but at least 32 and at most 256.
    learning_rate : str, default='constant'
        How the step size of 'sgd' and 'adam' changes:

        - 'constant': not at all;
        - 'invscaling': as ``learning_rate_init / (n_rows_seen + 1) ** power_t``;
        - 'adaptive': divided by 5 whenever the loss (or the validation's) has stopped improving; in
          `partial_fit`, ``min(learning_rate_init, (learning_rate_init / t) ** 0.5)`` with t the
          number of steps since the stream began or last changed;
        - 'cosine': along half a cosine to 0 at the end of `max_iter` epochs;
        - 'one-cycle': up in the first tenth of them, and then so down. The last two always take
          `max_iter` epochs.
    learning_rate_init : float or 'auto', default='auto'
        The first step size; of 'one-cycle' the largest. 'auto' is 0.003 where no layer has more
        than 100 inputs, else that times ``(100 / n_inputs) ** 0.5`` of the layer with the most: the
        more inputs move together, the farther a step of each goes.
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
    {optimizers}
    early_stopping : bool or 'auto', default='auto'
        Whether to stop when `scoring` on validation rows has not improved for `n_iter_no_change`
        epochs; the best epoch's parameters are kept. Validation rows are those given to `fit`, or
        else set aside. 'auto' sets none of fewer than 150 rows aside, and trains up to 10,000 anew
        when it is known which epoch is best: on all of them, for as many epochs (where
        `learning_rate` is 'constant' or 'invscaling', by which an epoch is the same in both, and
        `warm_start` is off). `loss_curve_` and `n_iter_` are then of that training, what
        validation found of the first. Not for 'lbfgs'.
    validation_fraction : float, default=0.1
        The share of rows set aside, in the proportions of the classes.
    scoring : 'loss', str, callable or None, default='loss'
        What early stopping goes by: the loss on the validation rows, None for the accuracy, or
        any of scikit-learn's scorers, by name or as a function of (estimator, X, y); most of
        these want labels, not class probabilities.
    {adam}
    n_iter_no_change : int or inf, default=10
        Epochs without enough improvement after which training ends.
    max_fun : int, default=15000
        Most evaluations of 'lbfgs'.
    max_time : float, default=None
        Seconds after which no other epoch is begun.
    max_grad_norm : float, default=None
        Longer gradients of a minibatch are shortened to this Euclidean norm. Not for 'lbfgs'.
    {class_weight}
    dropout : float or array-like of float, default=0.0
        The probability with which a hidden unit is left out of a training step; or one for the
        features and one for each hidden layer. Below 1. Not for 'lbfgs'.
    label_smoothing : float, default=0.0
        The share of every row's probability that is given to all classes alike, from 0 to 1.
    standardize : bool, default=True
        Whether to train on features less their means, divided by their standard deviations (sparse
        ones: divided by their root mean squares). The scaling ends up in the first layer's weights:
        prediction, `coefs_` and `intercepts_` are for X as it is.
    average : float, default=1.0
        Over the steps of how many last epochs 'adam' and 'sgd' average the parameters, with weights
        that fade; 0 for no average. `partial_fit` averages over all steps since the stream began or
        last changed, weighted by their numbers, after the first ``1 / learning_rate_init``.
    dtype : {'auto', 'float32', 'float64'}, default='auto'
        The precision to train in: 'auto' is float32, but for X of up to 10,000 values, which take
        no longer in float64. Parameters and predictions have that of X.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels; for class probabilities, the names of their columns. They are sorted, and the
        columns of all that is returned are in their order.
    coefs_ : list of ndarray of shape (n_inputs, n_units)
        Weights of each layer.
    intercepts_ : list of ndarray of shape (n_units,)
        Intercepts of each layer.
    loss_ : float
        The mean loss of the last epoch.
    best_loss_ : float or None
        The smallest of any epoch; None with early stopping.
    loss_curve_ : list of float
        The mean loss of each epoch or iteration, those of earlier fits included in a warm start
        or stream.
    validation_loss_curve_ : list of float or None
        The mean loss on the validation rows after each epoch; None without any.
    validation_scores_ : list of float or None
        Likewise the score: accuracy, or what `scoring` names.
    best_validation_score_ : float or None
        The best of them.
    solver_ : str
        The solver that ran.
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
    >>> model = SmallMLP((20, 20), solver="lbfgs", alpha=0.1, random_state=0).fit(X, y)
    >>> model.score(X, y)
    1.0
    >>> [W.shape for W in model.coefs_]
    [(2, 20), (20, 20), (20, 1)]
    """

    _parts: ClassVar[frozenset[str]] = frozenset(
        {"classes_", "coefs_", "intercepts_", "_layer_sizes", "_activation"}
    )
    _shape_names: ClassVar[tuple[str, ...]] = (
        "The list of the shapes of coefs_",
        "The list of the shapes of intercepts_",
    )
    _step_parameters = (*BaseSoftmaxClassifier._step_parameters, "weight_decay", "max_grad_norm")
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **constraints(*FITS, *MINIBATCHES),
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({*ACTIVATIONS, "sigmoid"})],
        "solver": [StrOptions({"auto", "adam", "sgd", "lbfgs"})],
        "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "scoring": [StrOptions({"loss", *get_scorer_names()}), callable, None],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "label_smoothing": [Interval(Real, 0, 1, closed="both")],
        "standardize": ["boolean"],
        "average": [Interval(Real, 0, None, closed="left")],
        "dtype": [
            StrOptions({"auto", "float32", "float64"}),
            Options(type, {np.float32, np.float64}),
            Options(np.dtype, {np.dtype("float32"), np.dtype("float64")}),
        ],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Activation = "relu",
        *,
        solver: NetworkSolver = "auto",
        alpha: float | Auto = "auto",
        batch_size: int | Auto = "auto",
        learning_rate: LearningRateSchedule = "constant",
        learning_rate_init: float | Auto = "auto",
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: RandomState = None,
        tol: float = 1e-4,
        verbose: int | bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool | Auto = "auto",
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: ClassWeight = None,
        weight_decay: float = 0.0,
        scoring: str | Callable[..., Any] | None = "loss",
        max_time: float | None = None,
        max_grad_norm: float | None = None,
        dropout: Any = 0.0,
        label_smoothing: float = 0.0,
        standardize: bool = True,
        average: float = 1.0,
        dtype: Precision = "auto",
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
        self.weight_decay = weight_decay
        self.scoring = scoring
        self.max_time = max_time
        self.max_grad_norm = max_grad_norm
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.standardize = standardize
        self.average = average
        self.dtype = dtype

    @fit_context(prefer_skip_nested_validation=True)
    @blas_held_to_one_thread
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels; or class probabilities, rows that sum to 1, whose columns are the classes: those
            of a DataFrame by their names, in any order, those of an array 0, 1, 2, ….
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A weight of 0 is the same as leaving the row out.
        X_val, y_val, sample_weight_val : array-likes, default=None
            Rows to validate on after each epoch, in the place of some set aside. Class
            probabilities in a DataFrame are found by their names, those in an array are in the
            order of `classes_`.

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
            If `max_iter`, `max_fun` or `max_time` cut training short (the last half of the epochs
            lowered the loss, with early stopping that on the validation rows, by more than a tenth
            of what it is at the end and more than a fiftieth of its whole decrease), if the loss
            ended above that of guessing, or if training was interrupted.
        """
        watched = Watched(self, X, y, sample_weight, self._most_epochs())
        with self._unchanged_on_failure():
            previous = self._solution() if self.warm_start and self._has_model() else None
            design = self._validate_rows(X, reset=True)
            targets = self._encode(y, design, sample_weight)
            check_more_than_one_class(targets, type(self).__name__)
            random_state = check_random_state(self.random_state)
            self._layer_sizes = self._sizes(design, targets.classes)
            validated = not (X_val is None and y_val is None and sample_weight_val is None)
            self.solver_ = choose_solver(self, targets, validated)
            check_dropout(self.dropout, len(self._layer_sizes) - 1, self.solver_, self.solver)
            recipe = self._recipe()
            start = starting_point(self, recipe, targets.classes, previous, random_state)
            self.classes_: Array = targets.classes
            self._activation: str = ACTIVATIONS[self.activation].name
            watched.begin()
            training = Training(
                recipe,
                start,
                random_state,
                watched,
                lambda result: self._refuse_divergence(result.params, result.value, result.n_iter),
                stop_early=bool(self.early_stopping),
                by_loss=self.scoring == "loss",
            )
            if validated:
                held_out = rows_to_validate_on(self, X_val, y_val, sample_weight_val)
                result = training.on(design, targets, held_out)
            elif sets_rows_aside(self, targets):
                result = training.without_some(
                    design,
                    targets,
                    self.validation_fraction,
                    lambda rows: self._score_on(X, y, rows),
                    # rows that a warm start has trained on would be no test of the next
                    anew=self.early_stopping == "auto" and not self.warm_start,
                )
            else:
                result = training.on(design, targets)
            self._stream: dict[str, Any] = state_of(vars(Stream(self._model_parameters())))
            # scikit-learn counts on in a warm start
            before = {} if previous is None else vars(self)
            earlier, seen = before.get("loss_curve_", []), before.get("t_", 0)
            self._store(result)
            self.loss_curve_: list[float] = [*earlier, *result.loss_curve]
            self.t_: int = seen + result.n_rows_seen
        watched.end()
        self._warn(result)
        return self

    @available_if(_can_stream)
    @fit_context(prefer_skip_nested_validation=True)
    @blas_held_to_one_thread
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Update the network by one pass over some rows, in minibatches.

        The network is an average of the parameters that the steps lead to, unless `average` is 0.
        Where the latest parameters make new rows more likely by a factor of e²⁰, the stream has
        changed, and the average begins anew.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The next rows.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Their labels, or class probabilities: columns of a DataFrame are found by their names.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        classes : array-like of shape (n_classes,), default=None
            All classes of the stream: needed in the first call (unless y holds probabilities). With
            class probabilities in an array, whose columns have no names, they name these, here and
            from then on; by default these are in the order of `classes_`.

        Returns
        -------
        SmallMLP
            The updated estimator.

        Raises
        ------
        ValueError, TypeError
            For data or parameters out of range; the estimator is then as it was before.
        """
        watched = Watched(self, X, y, sample_weight, 0)
        with self._unchanged_on_failure():
            first = not self._has_model()
            columns = self._stream_classes(classes, y, first)
            design = self._validate_rows(X, reset=first)
            targets = self._encode(y, design, sample_weight, columns)
            self.solver_ = "adam" if self.solver == "auto" else self.solver
            if first:
                self._layer_sizes = self._sizes(design, targets.classes)
            stream = self._resumed_stream(self.solver_, first)
            stream.columns = np.searchsorted(targets.classes, columns)
            stream.count(targets)
            weight = stream.mean_weight(targets)
            check_dropout(self.dropout, len(self._layer_sizes) - 1, self.solver_, self.solver)
            recipe = self._recipe()
            scaling = stream.scaling or recipe.scaling(design, targets)
            stream.scaling = scaling  # the first piece's serves for the whole stream
            objective = recipe.objective(design, targets, scaling, stream.random_state)
            previous = None if first else self._solution()
            start = starting_point(self, recipe, targets.classes, previous, stream.random_state)
            self.classes_ = targets.classes
            self._activation = ACTIVATIONS[self.activation].name
            watched.begin()
            model = start(scaling)
            params = model.copy()
            if stream.offset is not None:
                params += scaling.unfolded(objective.layout, stream.offset)
            model, params = model.astype(objective.dtype), params.astype(objective.dtype)
            batches = self._batches(len(objective.rows), stream.random_state)
            averaged = self.average > 0
            rate = recipe.rate()
            loss = stream.train(objective, model, params, rate, batches, weight, averaged)
            self._refuse_divergence(params, loss, 1)
            before = {} if first else vars(self)
            self.t_ = before.get("t_", 0) + len(objective.rows)
            curve = [*before.get("loss_curve_", []), loss]
            reached, model = (
                scaling.folded(objective.layout, at, design.dtype) for at in (params, model)
            )
            self._store(SolverResult(model, loss, 1, StopReason.MAX_ITER, curve))
            stream.offset = reached - model
            self._stream = state_of(vars(stream))
        watched.end()
        return self

    def to_sklearn(self) -> MLPClassifier:
        """The same network as an estimator of scikit-learn, for where this package is not.

        Returns
        -------
        sklearn.neural_network.MLPClassifier
            A fitted one with the same classes, weights and names of features. Its predictions are
            the same to the rounding of the dtype of X: `coefs_` take X as it is, with
            ``standardize=True`` too. It has the values of the parameters that both have, and its
            own defaults in the place of 'auto'.

        Raises
        ------
        ValueError
            If there are hidden layers with an activation that scikit-learn does not have.
        sklearn.exceptions.NotFittedError
            Before `fit`.

        See Also
        --------
        softmax_regression.onnx.register_converters : ONNX takes all activations.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> SmallMLP(random_state=0).fit(X, y).to_sklearn().predict(X[[0, 50, 100]])
        array([0, 1, 2])
        """
        return mlp_classifier(self)

    # -- pieces ------------------------------------------------------------------------------------

    def _scorer(self) -> tuple[Callable[[Design], Array], int]:
        network = Network(self.coefs_, self.intercepts_, ACTIVATIONS[self._activation])
        return network.scores, max(self._layer_sizes[1:])

    def _layers(self) -> Layers:
        """Return what other libraries can hold of the network: all of it."""
        return Layers(self.coefs_, self.intercepts_, self._activation)

    def _parameters(self) -> Array:
        """Return all weights and intercepts in one vector."""
        return Layout.joined(self.coefs_, self.intercepts_)

    def _keep(self, params: Array) -> None:
        """Make a vector the parameters of the network."""
        self.coefs_: list[Array]
        self.intercepts_: list[Array]
        self.coefs_, self.intercepts_ = Layout(self._layer_sizes).views(params)

    def _shapes(self, n_features: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        n_outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        sizes = [n_features, *self._layer_sizes[1:-1], n_outputs]
        coefs, intercepts = (
            [getattr(array, "shape", None) for array in arrays]
            for arrays in (self.coefs_, self.intercepts_)
        )
        return (coefs, intercepts), (list(pairwise(sizes)), [(n,) for n in sizes[1:]])

    def _model_parameters(self) -> dict[str, Any]:
        return {
            "hidden_layer_sizes": hidden_sizes(self.hidden_layer_sizes),
            "activation": ACTIVATIONS[self.activation].name,
            "standardize": self.standardize,
        }

    def _solution(self) -> tuple[list[int], Array, Array]:
        """Return layers, classes and parameters to go on from."""
        return self._layer_sizes, np.asarray(self.classes_), self._parameters()

    def _sizes(self, design: Design, classes: Array) -> list[int]:
        """Return the sizes of all layers, the input and the output included."""
        return [
            design.n_columns,
            *hidden_sizes(self.hidden_layer_sizes),
            1 if len(classes) == 2 else len(classes),
        ]

    def _recipe(self) -> Recipe:
        """Say how to train, with what was left open decided."""
        n_hidden = len(self._layer_sizes) - 2
        alpha = self.alpha
        if isinstance(alpha, str):
            alpha = 3.0 if self.solver_ == "lbfgs" else 0.03
        rate = self.learning_rate_init
        if isinstance(rate, str):
            rate = 0.003 * (_NARROW / max(_NARROW, *self._layer_sizes[:-1])) ** 0.5
        return Recipe(
            solver=self.solver_,
            layer_sizes=self._layer_sizes,
            activation=ACTIVATIONS[self.activation].name,
            learning_rate_init=rate,
            dropout=self.dropout if np.ndim(self.dropout) else [0.0, *n_hidden * [self.dropout]],
            alpha=alpha,
            optimizer=lambda: self._optimizer(self.solver_),
            deal=self._batches,
            report=self._report(),
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
        )

    def _most_epochs(self) -> int | None:
        """Return the most epochs of a fit, where it is known before."""
        return None if self.early_stopping == "auto" else self.max_iter

    def _score_on(self, X: Any, y: Any, rows: NDArray[np.intp]) -> Score | None:
        """Return what scores parameters on some rows, by `scoring`: it wants them as they came."""
        if self.scoring in ("loss", None):
            return None
        X = _safe_indexing(X.tocsr() if issparse(X) else X, rows)
        y = _safe_indexing(y, rows)
        scorer = check_scoring(self, self.scoring)
        if isinstance(self.scoring, str):
            scorer = scorer_of(self.scoring, self.classes_)

        def score(params: Array) -> float:
            self._keep(params)
            return float(scorer(self, X, y))

        return score

    def _batch_size(self, n_rows: int) -> int:
        if self.batch_size == "auto":
            return min(max(32, min(n_rows // 50, 256)), n_rows)
        return min(int(self.batch_size), n_rows)

    def _optimizer(self, solver: str) -> Optimizer:
        steps = super()._optimizer(solver)
        if self.weight_decay:
            steps = Decaying(steps, self.weight_decay, Layout(self._layer_sizes).n_weights)
        return steps if self.max_grad_norm is None else Clipping(steps, self.max_grad_norm)

    def _store(self, result: SolverResult) -> None:
        self._keep(result.params)
        self.loss_ = result.value
        self.loss_curve_ = result.loss_curve
        self.n_iter_ = result.n_iter
        seen = result.validations
        self.validation_loss_curve_ = seen and [v.loss for v in seen]
        self.validation_scores_ = seen and [v.score for v in seen]
        self.best_validation_score_ = max(v.score for v in seen) if seen else None
        self.best_loss_ = None
        if not (seen and self.early_stopping):
            self.best_loss_ = min(result.loss_curve, default=result.value)
        self.n_layers_ = len(self._layer_sizes)
        self.n_outputs_ = self._layer_sizes[-1]
        self.out_activation_ = "logistic" if self.n_outputs_ == 1 else "softmax"

    def _warn(self, result: SolverResult) -> None:
        if self._worse_than_guessing(result):
            remedy = f"Its loss of {result.value:.3g} is worse than guessing: {self._gentler()}."
        elif result.reason is StopReason.INTERRUPTED:
            remedy = "The parameters reached so far are kept."
        elif result.reason is StopReason.ROUNDING and result.n_iter == 0:
            remedy = f"No step was taken at all: {self._gentler()}."
        elif is_cut_short(result, self.solver_, self.learning_rate, self.tol, self.early_stopping):
            limit = "max_time" if result.reason is StopReason.MAX_TIME else "max_iter"
            remedy = f"The loss was still falling: raise {limit}, or {self._gentler('raise')}."
        else:
            return
        self._warn_stopped(result, f". {remedy}")

    def _gentler(self, how: str = "lower") -> str:
        """Say what may help, of what this solver and these features leave to do."""
        if not self.standardize:
            return "scale the features, as standardize=True does"
        if self.solver_ == "lbfgs":
            return "try solver='adam'"
        return f"{how} learning_rate_init"
