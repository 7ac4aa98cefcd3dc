"""`SmallMLP`: a feed-forward network with softmax output as a scikit-learn estimator.

This file holds parameters, validation and fitted attributes. Training is in `_training.py`,
back-propagation in `_objectives/network/`, and the loop over minibatches in `_solvers/minibatch/`.
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

# These parameters are passed to training unchanged.
_TRAINING_PARAMETERS = (
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
    probabilities are the softmax of the scores of the last layer. Training minimises the mean
    cross-entropy plus ``alpha / (2 n) * ||weights||²``, where n is the batch size times the mean
    weight of a row (for 'lbfgs' the sum of all weights), as scikit-learn's `MLPClassifier` does;
    parameters and attributes have its names and meanings.

    Parameters
    ----------
    hidden_layer_sizes : int, array-like of int or 'auto', default='auto'
        The number of units in each hidden layer. An empty list is softmax regression. 'auto' is
        (100,). In `fit`, with another solver than 'lbfgs', it is (400,) for a *small table*, which
        has fewer than 1200 rows and at most 400 features, and (96, 96) for a *large table*, which
        has more rows and whose features are encoded (see `numeric_encoding`).
    activation : str or Activation, default='relu'
        The activation of the hidden layers: a name in `softmax_regression.functional.ACTIVATIONS`,
        which are 'identity', 'logistic' or 'sigmoid', 'tanh', 'relu', 'leaky_relu', 'elu',
        'softplus', 'silu' and 'gelu'; or an activation of your own, which is a
        `softmax_regression.functional.Activation`.
    solver : {'auto', 'adam', 'sgd', 'lbfgs'}, default='auto'
        'adam' and 'sgd' train on minibatches, and 'lbfgs' on all rows at a time, which suits small
        data. 'auto' is 'lbfgs' for fewer than 150 rows, unless an option is given that it does not
        support, and otherwise 'adam'.
    alpha : float or 'auto', default='auto'
        The strength of the L2 penalty on the weights; intercepts are not penalised. Sample weights
        count as numbers of rows, so that small weights make the penalty stronger. 'auto' is 0.03,
        for a large table 0.1, and for 'lbfgs' the smaller of 3 and 0.03 n; with 'auto', sample
        weights whose mean is below 1 are scaled to a mean of 1.
    weight_decay : float, default=0.0
        Decoupled weight decay: in each step of 'adam' (AdamW) or 'sgd', weights shrink by this
        fraction of themselves times the learning rate. It is not supported by 'lbfgs'.
    batch_size : int or 'auto', default='auto'
        The number of rows in a minibatch. 'auto' is a fiftieth of all rows, but at least 32 and at
        most 256, or for a large table a hundredth of all rows, but at least 128 and at most 256.
    learning_rate : str, default='auto'
        How the step size of 'sgd' and 'adam' changes. 'auto' is 'warm-restarts' for a large table
        with early stopping, and otherwise 'constant'.

        - 'constant': it does not change;
        - 'invscaling': it is ``learning_rate_init / (n_rows_seen + 1) ** power_t``;
        - 'adaptive': it is divided by 5 when the loss (or the validation score) has stopped
          improving. In `partial_fit`, which has no epochs, it is
          ``min(learning_rate_init, (learning_rate_init / t) ** 0.5)``, where t is the number of
          steps since the stream began or last changed;
        - 'cosine': it follows half a cosine to 0 at the end of `max_iter` epochs;
        - 'one-cycle': it rises in the first tenth of `max_iter` epochs, and then falls likewise.
          'cosine' and 'one-cycle' always take `max_iter` epochs;
        - 'warm-restarts': it follows such a cycle of 2 epochs, then one of 4, of 8 and so on.
          Early stopping ends training after a cycle that has lowered the loss on the validation
          rows by less than 3 %, or by less than 8 % and less than the percentage by which that loss
          exceeds the loss on the training rows. A cycle that `max_iter` would cut short is left
          out.
    learning_rate_init : float or 'auto', default='auto'
        The first step size, or the largest for 'one-cycle' and 'warm-restarts'. 'auto' is 0.003 if
        no layer has more than 100 inputs, and otherwise 0.003 times ``(100 / n_inputs) ** 0.5`` for
        the layer with the most inputs, because steps of more inputs add up to larger changes. For
        the 400 units of a small table it is 0.003 too, and for a large table 0.01.
    power_t : float, default=0.5
        The exponent of 'invscaling'.
    max_iter : int, default=200
        The largest number of epochs, or of iterations of 'lbfgs'.
    shuffle : bool, default=True
        Whether 'sgd' and 'adam' take the rows in a new order in each epoch.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, the order of rows, and the validation split.
    tol : float, default=1e-4
        The smallest improvement of the mean loss (or of the validation score) that counts; for
        'lbfgs', the largest entry of the gradient at which it stops.
    verbose : int or bool, default=False
        Whether to print a line for each epoch.
    warm_start : bool, default=False
        Whether `fit` starts from the previous solution.
    {optimizers}
    early_stopping : bool or 'auto', default='auto'
        Whether to stop when `scoring` on validation rows has not improved for `n_iter_no_change`
        epochs; the parameters of the best epoch are kept. Validation rows are those passed to
        `fit`, or otherwise some that are set aside. 'auto' sets no rows aside if there are fewer
        than 150. With up to 10,000 rows it trains again, on all of them, for as many epochs as were
        best, if `learning_rate` is 'constant' or 'invscaling', so that epochs of both trainings
        are alike, or, if it is 'warm-restarts', for a single cycle of as many epochs as the best
        one had; unless `warm_start` is on. Then `loss_curve_` and `n_iter_` belong to the second
        training, and the validation results to the first. It is not supported by 'lbfgs'.
    validation_fraction : float, default=0.1
        The fraction of rows that are set aside, stratified by class.
    scoring : 'loss', str, callable or None, default='loss'
        The criterion of early stopping: 'loss' is the loss on the validation rows, None is the
        accuracy, and other values are scikit-learn's scorers, by name or as a function of
        (estimator, X, y); most of these need labels, not class probabilities.
    {adam}
    n_iter_no_change : int or inf, default=10
        Epochs without enough improvement after which training ends.
    max_fun : int, default=15000
        The largest number of evaluations of the objective by 'lbfgs'.
    max_time : float, default=None
        Seconds after which no further iteration or epoch begins.
    max_grad_norm : float, default=None
        The Euclidean norm to which longer gradients of a minibatch are clipped. It is not supported
        by 'lbfgs'.
    {class_weight}
    dropout : float or array-like of float, default=0.0
        The probability, below 1, with which a hidden unit is left out of a training step; or a
        sequence of probabilities for the features and for each hidden layer. It is not supported by
        'lbfgs'.
    label_smoothing : float, default=0.0
        The fraction of each row's probability, from 0 to 1, that is spread evenly over all classes.
    standardize : bool, default=True
        Whether to train on standardised features: less their means and divided by their standard
        deviations, or, if X is sparse, divided by their root mean squares. The scaling is absorbed
        into the weights of the first layer, so that prediction, `coefs_` and `intercepts_` are for
        X in its own units.
    average : float, default=1.0
        The number of last epochs over whose steps 'adam' and 'sgd' average the parameters, with
        decaying weights; 0 for no average. `partial_fit` averages over all steps since the stream
        began or last changed, weighted by their numbers, except for the first
        ``1 / learning_rate_init`` steps.
    dtype : {'auto', 'float32', 'float64'}, default='auto'
        The precision of training. 'auto' is float64 for X of up to 10,000 values, which takes no
        longer than float32, and otherwise float32. Parameters and predictions have the dtype of X.
    numeric_encoding : {'auto', 'linear', 'piecewise'} or int, default='auto'
        How numeric features enter the first layer. 'linear' multiplies each by the weights of the
        units. 'piecewise' gives each a piecewise linear function of its own in every unit, with 16
        pieces between quantiles of the feature, or with the pieces between all its values if there
        are no more. Beyond the outermost quantiles it is constant, so that outliers have little
        effect. An integer is 'piecewise' with so many pieces. 'auto' is 'piecewise' for at least
        1200 rows and at most 60 features, because fewer rows do not determine more than a linear
        function well, and otherwise 'linear'. Sparse X is always linear.
        `partial_fit` uses the quantiles of the first call.
    categorical_features : 'from_dtype', None or array-like, default='from_dtype'
        Which features are categorical: with 'from_dtype' the columns of a DataFrame that hold
        categories or text; otherwise their names, their positions, or a mask. Each level has
        weights of its own, except that levels of fewer than 4 rows share them. NaN and None are
        missing values, which have weights of their own too. In prediction, levels that did not
        occur in training count as missing, and missing values of a feature that had none in
        training count as the mean of the feature. With None, all features are numeric and NaN is
        refused.
    n_members : int, default=1
        The number of networks to train side by side, from different initial weights, on the same
        minibatches and with the same features left out by `dropout`. The prediction is the mean of
        their probabilities, and early stopping uses it too. It is not supported by 'lbfgs'.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The sorted labels, or for class probabilities the sorted names of their columns. The columns
        of predictions are in this order.
    coefs_ : list of ndarray of shape (n_inputs, n_units) or (n_inputs, n_members, n_units)
        The weights of each layer, with an axis for members if there are several. If features are
        encoded, the weights of the first layer are the tables that `feature_tables` returns, one
        below the other.
    intercepts_ : list of ndarray of shape (n_units,) or (n_members, n_units)
        The intercepts of each layer.
    loss_ : float
        The mean loss of the last epoch, averaged over members, as in `loss_curve_`.
    best_loss_ : float or None
        The smallest mean loss of any epoch; None with early stopping.
    loss_curve_ : list of float
        The mean loss of each epoch or iteration. With a warm start or in a stream, those of earlier
        fits come first.
    validation_loss_curve_ : list of float or None
        The mean loss on the validation rows after each epoch; None without validation rows.
    validation_scores_ : list of float or None
        The score on the validation rows after each epoch, which is the accuracy or that of
        `scoring`; None without validation rows.
    best_validation_score_ : float or None
        The best of `validation_scores_`.
    temperature_ : float
        The temperature that scores were divided by after training. For a large table it is the one
        with the smallest loss on the validation rows, if `scoring` is 'loss'; otherwise it is 1.0.
        It is absorbed into the weights of the last layer, and does not affect the losses above.
    solver_ : str
        The solver that was used, never 'auto'.
    n_iter_ : int
        The number of epochs or iterations of the last call of `fit` or `partial_fit`.
    t_ : int
        The number of rows seen in training, including earlier fits with a warm start or in a
        stream.
    n_layers_ : int
        The number of layers, including input and output.
    n_outputs_ : int
        The number of scores: n_classes, or 1 for two classes.
    out_activation_ : str
        'softmax', or 'logistic' for two classes.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        The names of the features, if X had names that are all strings.

    See Also
    --------
    SoftmaxRegression : The model without hidden layers, whose minimum is unique.
    sklearn.neural_network.MLPClassifier : The network of scikit-learn.

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
            Training data; see `categorical_features` for categories and missing values.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or class probabilities. The latter have rows that sum to 1, and a column for
            each class; the classes are the names of the columns of a DataFrame, in any order, or
            0, 1, 2, … for an array.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A weight of 0 is equivalent to leaving the row out.
        X_val, y_val, sample_weight_val : array-likes, default=None
            Rows to validate on after each epoch, so that none are set aside. Columns of class
            probabilities are found by their names in a DataFrame, and are in the order of
            `classes_` in an array.

        Returns
        -------
        SmallMLP
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If data or parameters are invalid; the estimator is then left unchanged.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If `max_iter`, `max_fun` or `max_time` cut training short, if the loss ended above that
            of guessing, or if training was interrupted. Training was cut short if the last half of
            the epochs lowered the loss by more than a tenth of its final value and more than a
            fiftieth of its total decrease; with early stopping this is the loss on the validation
            rows.
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
                    # With a warm start, rows that all were trained on could not validate the next
                    # fit.
                    anew=self.early_stopping == "auto" and not self.warm_start,
                )
            else:
                result = training.on(design, targets)
            self._stream: dict[str, Any] = state_of(vars(Stream(self._model_parameters())))
            # As in scikit-learn, a warm start continues the loss curve and the count of rows.
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

        The parameters are the average over the steps, unless `average` is 0. If the latest
        parameters make new rows more likely than the average by a factor of e²⁰, the stream counts
        as changed, and the average starts again.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The next rows.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            The labels of the rows, or class probabilities. Columns of a DataFrame are found by
            their names.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        classes : array-like of shape (n_classes,), default=None
            All classes of the stream, which are needed in the first call, unless y holds
            probabilities. If y is an array of class probabilities, whose columns have no names,
            `classes` names the columns, in this call and the following ones; by default they are in
            the order of `classes_`.

        Returns
        -------
        SmallMLP
            The updated estimator.

        Raises
        ------
        ValueError, TypeError
            If data or parameters are invalid; the estimator is then left unchanged.
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
                stream.scaling = scaling  # The whole stream uses the scaling of its first piece.
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
        """Return the network as an estimator of scikit-learn, which does not need this package.

        Returns
        -------
        sklearn.neural_network.MLPClassifier
            A fitted estimator with the same classes, weights and names of features. Its predictions
            are the same up to rounding in the dtype of X: `coefs_` take X in its own units, with
            ``standardize=True`` too. Parameters that both classes have keep their values, and its
            own defaults replace 'auto'.

        Raises
        ------
        ValueError
            If there are hidden layers with an activation that scikit-learn does not have.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.

        See Also
        --------
        softmax_regression.onnx.register_converters : Export to ONNX, with all activations.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> SmallMLP(random_state=0).fit(X, y).to_sklearn().predict(X[[0, 50, 100]])
        array([0, 1, 2])
        """
        return mlp_classifier(self)

    # -- parts of a fit ----------------------------------------------------------------------------

    def _model_parameters(self) -> dict[str, Any]:
        return {
            "hidden_layer_sizes": hidden_sizes(self.hidden_layer_sizes, USUAL.hidden_layer_sizes),
            "activation": name_of_activation(self.activation),
            "standardize": self.standardize,
            "numeric_encoding": self.numeric_encoding,
            "n_members": self.n_members,
        }

    def _sizes(self, design: Design, classes: Array, defaults: Defaults) -> list[int]:
        """Return the sizes of all layers, including input and output."""
        return [
            self._n_inputs(design.n_columns),
            *hidden_sizes(self.hidden_layer_sizes, defaults.hidden_layer_sizes),
            1 if len(classes) == 2 else len(classes),
        ]

    def _recipe(self, defaults: Defaults) -> Recipe:
        """Return the training configuration, with the defaults in the place of 'auto'."""
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
            **{name: getattr(self, name) for name in _TRAINING_PARAMETERS},
        )

    def _dropout_rates(self) -> Any:
        n_hidden = len(self._layer_sizes) - 2
        return self.dropout if np.ndim(self.dropout) else [0.0, *n_hidden * [self.dropout]]

    def _most_epochs(self) -> int | None:
        """Return the largest number of epochs of a fit, or None if it is not known in advance."""
        return None if self.early_stopping == "auto" else self.max_iter

    def _score_on(self, X: Any, y: Any, rows: NDArray[np.intp]) -> Score | None:
        """Return a function that scores parameters on some rows of X and y as they were given."""
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
