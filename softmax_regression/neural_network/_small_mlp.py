"""`SmallMLP`: a feed-forward network with softmax output as a scikit-learn estimator.

This file speaks scikit-learn: parameters, validation, fitted attributes. What a fit does is in
`_training.py`, back-propagation in `objectives/`, the loop in `solvers/`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.neural_network import MLPClassifier
from sklearn.utils import _safe_indexing, check_random_state

from softmax_regression._data.design import Design
from softmax_regression._estimators.callbacks import Watched
from softmax_regression._estimators.parameters import described
from softmax_regression._estimators.scoring import scorer_of
from softmax_regression._estimators.state import state_of
from softmax_regression._estimators.streams import Stream, check_parameters_of_stream
from softmax_regression._estimators.types import (
    Activation,
    Auto,
    CategoricalFeatures,
    ClassWeight,
    HiddenLayerSizes,
    LearningRateSchedule,
    NetworkSolver,
    NumericEncoding,
    Precision,
    RandomState,
    available_if,
    fit_context,
)
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import blas_held_to_one_thread
from softmax_regression._losses.targets import check_more_than_one_class
from softmax_regression._objectives.network.encoded_inputs import EncodedInputs
from softmax_regression._objectives.network.input_scaling import InputScaling
from softmax_regression._solvers.minibatch.minibatch import Minibatches
from softmax_regression._solvers.minibatch.optimizers import Clipping, Decaying, Optimizer
from softmax_regression._solvers.result import SolverResult, StopReason
from softmax_regression.functional import Activation as CustomActivation
from softmax_regression.neural_network._choices import (
    MOST_L2,
    USUAL,
    Defaults,
    activation_of,
    check_dropout,
    choose_defaults,
    choose_solver,
    hidden_sizes,
    name_of_activation,
    rate_for_inputs,
    remedy,
    rows_to_validate_on,
    sets_rows_aside,
    starting_point,
)
from softmax_regression.neural_network._constraints import CONSTRAINTS
from softmax_regression.neural_network._export import mlp_classifier
from softmax_regression.neural_network._training import Recipe, Score, Training
from softmax_regression.neural_network._weights import NetworkWeights

# Parameters that training takes as they are.
_AS_THEY_ARE = (
    "label_smoothing",
    "standardize",
    "dtype",
    "power_t",
    "max_iter",
    "max_fun",
    "max_time",
    "tol",
    "n_iter_no_change",
    "average",
)


def _or(value: Any, default: Any) -> Any:
    return default if value == "auto" else value


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
class SmallMLP(NetworkWeights):
    r"""A small feed-forward network (multi-layer perceptron) with softmax output.

    Each hidden layer multiplies by its weights, adds intercepts and applies the activation; the
    scores of the last layer go through softmax. Minimises the mean cross-entropy plus
    ``alpha / (2 n) * ||weights||²``, with n the batch size times the mean weight of a row (for
    'lbfgs' the summed weight of all), as scikit-learn's `MLPClassifier` does; parameters and
    attributes have its names and meanings.

    Parameters
    ----------
    hidden_layer_sizes : int, array-like of int or 'auto', default='auto'
        Number of units in each hidden layer. An empty list is softmax regression. 'auto' is (100,).
        In `fit`, with another solver than 'lbfgs', it is (400,) for a *small table*, of fewer than
        2500 rows and at most 400 features, and (128, 128) for a *large table*: one of more rows
        whose features are encoded (see `numeric_encoding`).
    activation : str or Activation, default='relu'
        Activation of the hidden layers: a name in `softmax_regression.functional.ACTIVATIONS`,
        which are 'identity', 'logistic' or 'sigmoid', 'tanh', 'relu', 'leaky_relu', 'elu',
        'softplus', 'silu' and 'gelu'; or one of your own, a
        `softmax_regression.functional.Activation`.
    solver : {'auto', 'adam', 'sgd', 'lbfgs'}, default='auto'
        'adam' and 'sgd' train on minibatches, 'lbfgs' on all rows at a time, which suits small
        data. 'auto' is 'lbfgs' for fewer than 150 rows, unless an option is given that it doesn't
        have, else 'adam'.
    alpha : float or 'auto', default='auto'
        Strength of the L2 penalty on the weights, not on the intercepts. Sample weights count as
        numbers of rows: small ones make it stronger. 'auto' is 0.03, for a large table 0.1, and for
        'lbfgs' 3 or, if that is less, 0.03 n; there, weights of a mean below 1 are scaled up to it.
    weight_decay : float, default=0.0
        By what share of themselves, times the learning rate, weights shrink in each step of 'adam'
        or 'sgd' (decoupled weight decay: with 'adam', AdamW). Not for 'lbfgs'.
    batch_size : int or 'auto', default='auto'
        Rows in a minibatch; 'auto' is a fiftieth of all, but at least 32 and at most 256, or for a
        large table a hundredth, but at least 128 and at most 256.
    learning_rate : str, default='auto'
        How the step size of 'sgd' and 'adam' changes. 'auto' is 'warm-restarts' for a large table
        with early stopping, else 'constant'.

        - 'constant': not at all;
        - 'invscaling': as ``learning_rate_init / (n_rows_seen + 1) ** power_t``;
        - 'adaptive': divided by 5 whenever the loss (or the validation's) has stopped improving; in
          `partial_fit`, ``min(learning_rate_init, (learning_rate_init / t) ** 0.5)`` with t the
          number of steps since the stream began or last changed;
        - 'cosine': along half a cosine to 0 at the end of `max_iter` epochs;
        - 'one-cycle': up in the first tenth of them, and then so down. These two always take
          `max_iter` epochs;
        - 'warm-restarts': such a cycle of 3 epochs, then one of 6, of 12 and so on. Early stopping
          ends training with a cycle that has lowered the loss on the validation rows by less than
          3 %, or by less than 8 % to more than that on the rows trained on. `max_iter` leaves out a
          cycle that it would cut short.
    learning_rate_init : float or 'auto', default='auto'
        The first step size; of 'one-cycle' the largest. 'auto' is 0.003 where no layer has more
        than 100 inputs, else that times ``(100 / n_inputs) ** 0.5`` of the layer with the most: the
        more inputs move together, the farther a step of each goes. For the 400 units of a small
        table it is 0.003 too, and for a large table 0.01.
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
    numeric_encoding : {'auto', 'linear', 'piecewise'} or int, default='auto'
        How features of numbers enter the first layer. 'linear' multiplies each by the weights of
        the units. 'piecewise' gives each a function of its own in every unit, made of 16 straight
        lines between quantiles of the feature, or those between all its values if these are no
        more; beyond the outer ones it is constant, so that no outlier does harm. An integer is
        'piecewise' with so many lines. 'auto' is 'piecewise' for 2500 rows or more of at most 60
        features: of fewer rows, no more than straight lines can be learned well. Sparse X stays
        linear.
        `partial_fit` takes the quantiles of the first call.
    categorical_features : 'from_dtype', None or array-like, default='from_dtype'
        Which features are categories: with 'from_dtype' the columns of a DataFrame that hold
        categories or text; or their names, their positions, or a mask. Each level has weights of
        its own, levels of fewer than 4 rows share them. NaN and None are missing values, which
        have weights of their own too. What was missing nowhere in training, and levels that were
        not seen, are taken for missing in prediction, which then counts as the mean of the feature.
        None takes all features for numbers and refuses NaN.
    n_members : int, default=1
        How many networks to train side by side, from initial weights of their own on the same
        minibatches, and with the same features left out by `dropout`. Their probabilities are
        averaged, and it is by these that training is stopped early. Not for 'lbfgs'.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels; for class probabilities, the names of their columns. They are sorted, and the
        columns of all that is returned are in their order.
    coefs_ : list of ndarray of shape (n_inputs, n_units) or (n_inputs, n_members, n_units)
        Weights of each layer, with an axis for members if there are several. Where features are
        encoded, those of the first are the tables that `feature_tables` returns, one below the
        other.
    intercepts_ : list of ndarray of shape (n_units,) or (n_members, n_units)
        Intercepts of each layer.
    loss_ : float
        The mean loss of the last epoch; of several members their mean, as in `loss_curve_`.
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
    temperature_ : float
        What all scores were divided by in the end, a large table's by what suits the validation
        rows best, if early stopping goes by their loss; 1.0 otherwise. It is in the last layer's
        weights, not in the losses above.
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
    Y. Gorishniy, I. Rubachev and A. Babenko, "On embeddings for numerical features in tabular deep
    learning", NeurIPS 2022.
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.
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

    _step_parameters = (*NetworkWeights._step_parameters, "weight_decay", "max_grad_norm")
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    def __init__(
        self,
        hidden_layer_sizes: HiddenLayerSizes = "auto",
        activation: Activation | CustomActivation = "relu",
        *,
        solver: NetworkSolver = "auto",
        alpha: float | Auto = "auto",
        batch_size: int | Auto = "auto",
        learning_rate: LearningRateSchedule | Auto = "auto",
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
        numeric_encoding: NumericEncoding = "auto",
        categorical_features: CategoricalFeatures = "from_dtype",
        n_members: int = 1,
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
        self.numeric_encoding = numeric_encoding
        self.categorical_features = categorical_features
        self.n_members = n_members

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
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Training data; see `categorical_features` for what may be missing or no number.
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
            if previous is None:
                self._learn_encoding(design, targets)
            validated = not (X_val is None and y_val is None and sample_weight_val is None)
            self.solver_ = choose_solver(self, targets, validated)
            set_aside = not validated and sets_rows_aside(self, targets)
            encoded, held_out = self._encoding is not None, set_aside or validated
            stop_early = bool(self.early_stopping)
            defaults = choose_defaults(
                self.solver_, design.n_columns, encoded, targets, held_out and stop_early
            )
            self._layer_sizes = self._sizes(design, targets.classes, defaults)
            self._n_members: int = self.n_members
            check_dropout(self.dropout, len(self._layer_sizes) - 1, self.solver_, self.solver)
            recipe = self._recipe(defaults)
            start = starting_point(self, recipe, targets.classes, previous, random_state)
            self.classes_: Array = targets.classes
            self._activation: Any = name_of_activation(self.activation)
            watched.begin()
            training = Training(
                recipe,
                start,
                random_state,
                watched,
                lambda result: self._refuse_divergence(result.params, result.value, result.n_iter),
                stop_early=stop_early,
                by_loss=self.scoring == "loss",
            )
            if validated:
                rows = rows_to_validate_on(self, X_val, y_val, sample_weight_val)
                result = training.on(design, targets, rows)
            elif set_aside:
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
        self._warn(result, recipe.learning_rate)
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
                self._learn_encoding(design, targets)
                self._layer_sizes = self._sizes(design, targets.classes, USUAL)
                self._n_members = self.n_members
            stream = self._resumed_stream(self.solver_, first)
            stream.columns = np.searchsorted(targets.classes, columns)
            stream.count(targets)
            weight = stream.mean_weight(targets)
            check_dropout(self.dropout, len(self._layer_sizes) - 1, self.solver_, self.solver)
            recipe = self._recipe(USUAL)
            scaling = stream.scaling or recipe.scaling(design, targets)
            if isinstance(scaling, InputScaling):
                stream.scaling = scaling  # the first piece's serves for the whole stream
            objective = recipe.objective(design, targets, scaling, stream.random_state)
            previous = None if first else self._solution()
            start = starting_point(self, recipe, targets.classes, previous, stream.random_state)
            self.classes_ = targets.classes
            self._activation = name_of_activation(self.activation)
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

    def _model_parameters(self) -> dict[str, Any]:
        return {
            "hidden_layer_sizes": hidden_sizes(self.hidden_layer_sizes, USUAL.hidden_layer_sizes),
            "activation": name_of_activation(self.activation),
            "standardize": self.standardize,
            "numeric_encoding": self.numeric_encoding,
            "n_members": self.n_members,
        }

    def _sizes(self, design: Design, classes: Array, defaults: Defaults) -> list[int]:
        """Return the sizes of all layers, the input and the output included."""
        return [
            self._n_inputs(design.n_columns),
            *hidden_sizes(self.hidden_layer_sizes, defaults.hidden_layer_sizes),
            1 if len(classes) == 2 else len(classes),
        ]

    def _recipe(self, defaults: Defaults) -> Recipe:
        """Say how to train, with what was left open decided."""
        encoding = self._known_encoding()
        encoded = None if encoding is None else EncodedInputs(encoding)
        layer_sizes = self._trained_layout().sizes
        rate = self.learning_rate_init
        if isinstance(rate, str):
            rate = rate_for_inputs(defaults, layer_sizes, self.hidden_layer_sizes)

        def deal(n_rows: int, random_state: np.random.RandomState) -> Minibatches:
            size = self._batch_size(n_rows, defaults.batches)
            return Minibatches(size, self.shuffle, random_state)

        return Recipe(
            solver=self.solver_,
            layer_sizes=layer_sizes,
            n_members=self._n_members,
            encoded=encoded,
            activation=activation_of(self.activation),
            learning_rate=_or(self.learning_rate, defaults.learning_rate),
            learning_rate_init=rate,
            dropout=self._dropout_rates(),
            alpha=_or(self.alpha, defaults.alpha),
            calibrates=defaults.calibrates and self.scoring == "loss",
            most_l2=MOST_L2 if isinstance(self.alpha, str) else None,
            optimizer=lambda: self._optimizer(self.solver_),
            deal=deal,
            report=self._report(),
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
        )

    def _dropout_rates(self) -> Any:
        n_hidden = len(self._layer_sizes) - 2
        return self.dropout if np.ndim(self.dropout) else [0.0, *n_hidden * [self.dropout]]

    def _most_epochs(self) -> int | None:
        """Return the most epochs of a fit, where it is known before."""
        return None if self.early_stopping == "auto" else self.max_iter

    def _score_on(self, X: Any, y: Any, rows: NDArray[np.intp]) -> Score | None:
        """Return what scores parameters on some rows, by `scoring`: it wants them as they came."""
        if self.scoring in ("loss", None):
            return None
        X = _safe_indexing(X.tocsr() if issparse(X) else X, rows)
        y = _safe_indexing(y, rows)
        scorer = scorer_of(self.scoring, self.classes_)

        def score(params: Array) -> float:
            self._keep(params)
            return float(scorer(self, X, y))

        return score

    def _batch_size(self, n_rows: int, batches: tuple[int, int, int] = USUAL.batches) -> int:
        if self.batch_size == "auto":
            number, least, most = batches
            return min(max(least, min(n_rows // number, most)), n_rows)
        return min(int(self.batch_size), n_rows)

    def _optimizer(self, solver: str) -> Optimizer:
        steps = super()._optimizer(solver)
        if self.weight_decay:
            steps = Decaying(steps, self.weight_decay, self._trained_layout().n_weights)
        if self.max_grad_norm is None:
            return steps
        return Clipping(steps, self.max_grad_norm, self._trained_layout().owners())

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
        self.temperature_ = getattr(result, "temperature", 1.0)
        self.n_layers_ = len(self._layer_sizes)
        self.n_outputs_ = self._layer_sizes[-1]
        self.out_activation_ = "logistic" if self.n_outputs_ == 1 else "softmax"

    def _warn(self, result: SolverResult, learning_rate: str) -> None:
        advice = remedy(self, result, learning_rate)
        if advice is not None:
            self._warn_stopped(result, f". {advice}")
