"""`SoftmaxRegression`: multinomial logistic regression as a scikit-learn estimator.

This file holds parameters, validation and fitted attributes. The objective is in
`_objectives/linear/`, and the solvers are in `_solvers/`.
"""

from __future__ import annotations

import copy
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils._param_validation import Interval

from softmax_regression._data.design import Design
from softmax_regression._estimators.bounds import coefficient_bounds, smallest_coefficients
from softmax_regression._estimators.callbacks import Watched
from softmax_regression._estimators.hints import LINEAR_HINTS, LinearSolvers
from softmax_regression._estimators.linear_classifier import PenaltyName, penalty_name
from softmax_regression._estimators.parameters import LINEAR, MINIBATCHES, constraints, described
from softmax_regression._estimators.penalties import feature_weights
from softmax_regression._estimators.priors import around
from softmax_regression._estimators.state import state_of
from softmax_regression._estimators.streams import can_stream
from softmax_regression._estimators.types import (
    Auto,
    BiasReduction,
    ClassWeight,
    LearningRateSchedule,
    LinearSolver,
    PenaltyGrouping,
    RandomState,
    available_if,
    fit_context,
)
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import blas_held_to_one_thread
from softmax_regression._losses.targets import Targets, check_more_than_one_class
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._problems.bias_reduced import check_bias_reduction
from softmax_regression._problems.choice import (
    MINIBATCH_SOLVERS,
    SOLVERS,
    SPARSE_SOLVER,
    check_solver,
    choose,
    solver_without_unknowns,
)
from softmax_regression._problems.classes_with_weight import ClassesWithWeight
from softmax_regression._problems.objective_scale import objective_of
from softmax_regression._problems.problem import PosedProblem
from softmax_regression._problems.rounding import Rounding
from softmax_regression._problems.specification import Specification, makes_zeros
from softmax_regression._solvers.criteria import RelativeGap, best_start
from softmax_regression._solvers.result import SolverResult, StopReason
from softmax_regression._solvers.time_limit import deadline_after
from softmax_regression.linear_model._minibatch_fits import MinibatchFits
from softmax_regression.linear_model._remedies import remedy, what_is_left
from softmax_regression.linear_model._separation import (
    separation_at,
    unpenalized,
    warn_of_separation,
)


@described
class SoftmaxRegression(MinibatchFits):
    r"""Multinomial logistic regression: a linear score for each class, softmax on top.

    Minimises the objective of scikit-learn's `LogisticRegression`, convex and with one minimum,

    .. math:: C \sum_i s_i \, \mathrm{CE}(y_i, \mathrm{softmax}(W x_i + b))
        + \tfrac{1 - \rho}{2} \|W\|_F^2 + \rho \|W\|_1

    with ρ = `l1_ratio`, by default 0, whose gradient in the scores is :math:`C s_i (p_i - y_i)`.
    With two classes there is one score, its sigmoid is the probability of the second class, and W
    is one row.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty: positive, larger for less penalty, ``inf`` for none. The
        intercept is never penalised.
    l1_ratio : float, default=0.0
        ρ, between 0 (ridge) and 1 (lasso); between them, the elastic net. Above 0 many coefficients
        are exactly 0.
    penalty_grouping : {'none', 'features'}, default='none'
        Which coefficients are set to zero together: none, or those of a feature in all classes.
        The latter is the group lasso, with :math:`\rho \sum_j \|W_{:j}\|_2` in the place of
        :math:`\rho \|W\|_1` (without a factor for the number of classes, as in glmnet). It has an
        effect only with `l1_ratio` above 0.
    {penalty_weights}
    bounds : (lower, upper) or None, default=None
        Bounds of the coefficients. Each is a number, None for no bound on that side, or an array
        that can be broadcast to the shape of `coef_`, such as one of shape (n_features,) for a
        bound for each feature. So ``(0, None)`` requires coefficients that are not negative, and
        equal bounds fix coefficients. The intercept has no bounds. Coefficients at a bound are
        exactly equal to it. Bounds need `l1_ratio` 0 and the solver 'auto', 'lbfgs' or
        'newton-cholesky', and do not go together with `partial_fit`.
    bias_reduction : {'firth'} or None, default=None
        'firth' adds Jeffreys' prior to the likelihood, :math:`\tfrac12 \log\det` of the Fisher
        information, which removes the first-order bias of the estimate and keeps it finite if
        classes are separated. It needs ``C=inf``, `l1_ratio` 0, no `bounds`, columns of X that are
        not collinear, and the solver 'auto' or 'newton-cholesky', and does not go together with
        `partial_fit`.
    fit_intercept : bool, default=True
        Whether to add an intercept b to the scores.
    {class_weight}
    solver : str, default='auto'
        The solver that finds the minimum:

        - 'newton-cholesky': Newton's method with a Cholesky factor of the Hessian, whose order is
          (n_classes − 1) · n_features. It takes the fewest iterations, and is best if the order is
          small;
        - 'newton-cg': Newton's method with conjugate gradients. The preconditioner is a Hessian of
          a sample of the rows, a part of it, or its diagonal, depending on the size;
        - 'lbfgs': SciPy's L-BFGS, in unknowns that are whitened by the same matrix;
        - 'sgd', 'adam': training on minibatches. These come near the minimum in a few passes over
          large data, and are the solvers of `partial_fit`;
        - 'proximal-newton': Newton's method with the Hessian of the coefficients that are not 0. It
          is the only solver for `l1_ratio` above 0, and is for nothing else;
        - 'auto': for `fit` 'proximal-newton' with `l1_ratio` above 0, else 'newton-cholesky' up to
          an order of 128 and 'newton-cg' beyond; for `partial_fit` 'adam'. With `bounds`,
          'newton-cholesky' up to an order of 1000 and 'lbfgs' beyond, where the order is
          n_classes · (n_features + 1) or, if that is far smaller, n_classes · n_samples.
    tol : float, default=1e-6
        The solvers of all rows stop when the objective is certified to lie within this fraction of
        the minimum, by the relative duality gap or, for ``C=inf``, by the Newton decrement. 'sgd'
        and 'adam' require that an epoch lowers the mean loss by this much.
    max_iter : int, default=1000
        The largest number of iterations, or of epochs of 'sgd' and 'adam'.
    max_time : float, default=None
        Seconds after which no further iteration or epoch begins.
    warm_start : bool, default=False
        Whether `fit` starts from the previous solution. The solvers of all rows start from the null
        model if that has a smaller objective.
    random_state : int, RandomState instance or None, default=None
        Seeds the order of rows of 'sgd' and 'adam'. The other solvers are deterministic.
    verbose : int or bool, default=0
        Whether to print a line for each iteration.
    batch_size : int or 'auto', default='auto'
        The number of rows in a minibatch; 'auto' is ``min(200, n_samples)``.
    learning_rate : str, default='adaptive'
        How the step size of 'sgd' and 'adam' changes:

        - 'constant': it does not change;
        - 'invscaling': it is ``learning_rate_init / (n_rows_seen + 1) ** power_t``;
        - 'adaptive': it is divided by 5 when the loss has stopped improving. In `partial_fit`,
          which has no epochs, it is ``min(learning_rate_init, (learning_rate_init / t) ** 0.5)``,
          where t is the number of steps since the stream began or last changed;
        - 'cosine': it follows half a cosine to 0 at the end of `max_iter` epochs;
        - 'one-cycle': it rises in the first tenth of `max_iter` epochs, and then falls likewise.
          'cosine' and 'one-cycle' always take `max_iter` epochs.
    learning_rate_init : float or 'auto', default='auto'
        The first step size, in standardised coordinates. 'auto' is the inverse of a bound of the
        curvature for 'sgd', and 0.03 for 'adam'.
    power_t : float, default=0.5
        The exponent of 'invscaling'.
    shuffle : bool, default=True
        Whether 'sgd' and 'adam' take the rows in a new order in each epoch.
    {optimizers}
    {adam}
    n_iter_no_change : int or inf, default=10
        Epochs without enough improvement after which 'sgd' and 'adam' lower the learning rate or
        stop.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The sorted labels, or for class probabilities the sorted names of their columns. The columns
        of predictions are in this order.
    coef_ : ndarray of shape (n_classes, n_features), or (1, n_features) for two classes
        W, in the dtype of X.
    intercept_ : ndarray of shape (n_classes,), or (1,) for two classes
        b; zeros without intercept.
    n_iter_ : ndarray of shape (1,)
        The number of iterations or epochs.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        The names of the features, if X had names that are all strings.
    objective_ : float
        The objective above at `coef_` and `intercept_` (for ``C=inf`` its first term, without C);
        inf if it is too large for a float. With `bias_reduction` it includes the prior; see the
        notes.
    optimality_gap_ : float
        The largest amount by which `objective_` can lie above the minimum, as a fraction of itself.
        It is certified by the dual problem. Without a penalty (``C=inf``) or bounds on all sides,
        it is computed from a dual point of a Newton step, which gives a bound if the minimum is no
        farther away than about twice the length of the solution, and an estimate otherwise. The
        same holds for features whose `penalty_weights` are 0, and with `offset` for the intercept,
        up to a hundred times that length. For float32 data it includes the effect of rounding
        `coef_` and `intercept_`; a warning is issued if that exceeds `tol`, as for features whose
        means are far larger than their deviations. With `bias_reduction`, whose objective is not
        convex, it is the Newton decrement of the adjusted score, an estimate and not a bound.
    loss_curve_ : list of float
        The objective after each iteration, divided by C times the sum of weights.
    solver_ : str
        The solver that was used, never 'auto'. If a single class has weight, so that there is
        nothing to minimise, it is the solver for the smallest problems.

    See Also
    --------
    SmallMLP : A network with hidden layers on the same loss and solvers.
    softmax_regression.functional : The mathematics as plain functions.
    sklearn.linear_model.LogisticRegression : The same model; `coef_` agrees to solver tolerance.

    Notes
    -----
    Values and gradients, which decide where to stop, are computed in float64, and products with the
    Hessian in the precision of X. 'sgd' and 'adam' compute in the precision of X, and return the
    average of the parameters over about the last epoch.
    Scores of float32 rows are computed in float32 if that is precise enough for a few of the rows.
    Otherwise, as with features far from 0, they are computed in float64, which takes twice as long.
    Either way they are returned in float32.

    X is copied only in small problems, or if its memory layout would slow down each step: arrays
    that are neither C- nor Fortran-ordered (such as every second column of another array), and for
    'sgd', 'adam' and `partial_fit` Fortran-ordered arrays, as DataFrames hold their values.

    A class whose rows all have weight 0 stays in `classes_`. With an intercept, the other classes
    are fitted without it; it gets coefficients of 0 and an intercept so low that its probability
    vanishes at every row of X. If a single class has weight, its probability is 1.

    With `bounds`, Newton's method minimises a quadratic model within the bounds in each iteration,
    by an active-set method; 'lbfgs' is SciPy's L-BFGS-B. With two classes, a feature whose
    coefficient is not negative can only raise the probability of the second class. With three or
    more classes, probabilities depend on differences between classes, and adding a number to the
    coefficients of a feature in all classes changes no probability. So a lower bound of 0 does not
    imply that the probability of a class rises with the feature, and if it is the only bound, it
    restricts the model only through the penalty.

    With ``bias_reduction='firth'`` the objective is the loss (without C) plus
    :math:`\tfrac12 \log \det B - \tfrac12 \log \det I(W, b)`. I is the Fisher information of the
    differences between classes, including intercepts, with weights as frequencies; its determinant
    does not depend on the class from which the differences are taken. B is an upper bound of I that
    does not depend on W and b (Böhning, 1992); it makes the objective non-negative and independent
    of units. For two classes this is the method of Firth (1993) and of R's logistf, for more
    classes that of brglm2 (Kosmidis and Firth, 2011). This objective, unlike all others here, is
    not convex: Fisher scoring descends to a minimum, and no certificate shows that it is the only
    one. In tests it was, except for few rows whose weights differed by factors of a thousand. A
    step takes n_samples · (n_classes · n_features)² operations. Classes without rows of positive
    weight are left out as described above.

    References
    ----------
    C. M. Bishop, *Pattern Recognition and Machine Learning*, section 4.3.4.
    T. Hastie, R. Tibshirani and J. Friedman, *The Elements of Statistical Learning*, section 4.4.
    D. Bertsekas, "Projected Newton methods for optimization problems with simple constraints",
    *SIAM J. Control and Optimization* 20, 1982.
    D. Firth, "Bias reduction of maximum likelihood estimates", *Biometrika* 80, 1993.
    I. Kosmidis and D. Firth, "Multinomial logit bias reduction via the Poisson log-linear model",
    *Biometrika* 98, 2011.
    D. Böhning, "Multinomial logistic regression algorithm", *Annals of the Institute of Statistical
    Mathematics* 44, 1992.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from softmax_regression import SoftmaxRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxRegression().fit(X, y)
    >>> model.predict_proba(X[:1]).round(3)
    array([[0.982, 0.018, 0.   ]])
    >>> model.score(X, y).__round__(3)
    0.973
    >>> model.optimality_gap_ <= 1e-6
    True

    Coefficients that are not negative, so that a feature is evidence for a class but not against
    it:

    >>> model = SoftmaxRegression(bounds=(0, None)).fit(X, y)
    >>> model.coef_.round(1)
    array([[0. , 1.6, 0. , 0. ],
           [0.9, 0. , 1.6, 0. ],
           [0.4, 0. , 4. , 2.7]])

    Finite estimates for perfectly separated classes:

    >>> model = SoftmaxRegression(C=np.inf, bias_reduction="firth")
    >>> model.fit([[-1.0], [-0.5], [0.5], [1.0]], ["no", "no", "yes", "yes"]).coef_.round(2)
    array([[2.01]])
    """

    _hints: ClassVar[dict[str, str]] = LINEAR_HINTS | {
        "penalty": "l1_ratio is 0 for 'l2', 1 for 'l1' and between them for 'elasticnet'; None is "
        "C=inf",
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **constraints(*LINEAR, "l1_ratio", "bias_reduction", *MINIBATCHES),
        "C": [Interval(Real, 0, None, closed="right")],
        "bounds": ["array-like", None],
        "solver": [LinearSolvers({"auto", *SOLVERS, SPARSE_SOLVER, *MINIBATCH_SOLVERS})],
    }

    def __init__(
        self,
        *,
        C: float = 1.0,
        l1_ratio: float = 0.0,
        penalty_grouping: PenaltyGrouping = "none",
        penalty_weights: Any = None,
        standardize: bool = False,
        prior_mean: Any = None,
        bounds: Any = None,
        bias_reduction: BiasReduction = None,
        fit_intercept: bool = True,
        class_weight: ClassWeight = None,
        solver: LinearSolver = "auto",
        tol: float = 1e-6,
        max_iter: int = 1000,
        max_time: float | None = None,
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int | bool = 0,
        batch_size: int | Auto = "auto",
        learning_rate: LearningRateSchedule = "adaptive",
        learning_rate_init: float | Auto = "auto",
        power_t: float = 0.5,
        shuffle: bool = True,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
    ):
        self.C = C
        self.l1_ratio = l1_ratio
        self.penalty_grouping = penalty_grouping
        self.penalty_weights = penalty_weights
        self.standardize = standardize
        self.prior_mean = prior_mean
        self.bounds = bounds
        self.bias_reduction = bias_reduction
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.shuffle = shuffle
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change

    @PenaltyName
    def penalty(self) -> str | None:
        """scikit-learn's name of the penalty: 'l1', 'l2', 'elasticnet' or None.

        `sklearn.feature_selection.SelectFromModel` uses it: for 'l1' it selects features whose
        coefficients are not 0, otherwise features with large coefficients. In a subclass that has a
        parameter of this name, it is that parameter.
        """
        return penalty_name(*self._strengths())

    def _strengths(self) -> tuple[float, float]:
        return self.C, self.l1_ratio

    @fit_context(prefer_skip_nested_validation=True)
    @blas_held_to_one_thread
    def fit(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> Self:
        """Find the minimum of the objective.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or class probabilities. The latter have rows that sum to 1, and a column for
            each class; the classes are the names of the columns of a DataFrame, in any order, or
            0, 1, 2, … for an array.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A weight of 0 is equivalent to leaving the row out, and an integer
            weight to repeating it.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Known scores that are added to those of the model. With two classes they are those of
            ``classes_[1]`` less those of ``classes_[0]``; otherwise there is a column for each
            class, in the order of `classes_`, or named by the classes in a DataFrame. Offsets are
            not part of the model: to predict with offsets, pass those of the rows to predict.

        Returns
        -------
        SoftmaxRegression
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If data or parameters are invalid; the estimator is then left unchanged.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If the solver stopped before `tol` was reached, or if there is no finite minimum because
            some or all rows are separated by class by features without a penalty (with ``C=inf``,
            or with zeros in `penalty_weights`).
        """
        self._check_combination()
        watched = Watched(self, X, y, sample_weight, self.max_iter, offset)
        with self._unchanged_on_failure():
            previous = self._solution() if self.warm_start and self._has_model() else None
            design = self._validate_rows(X, reset=True)
            if self.solver in MINIBATCH_SOLVERS:
                design = design.in_rows()
            targets = self._encode(y, design, sample_weight, offset=offset)
            check_more_than_one_class(targets, type(self).__name__)
            self.classes_ = targets.classes
            if self.prior_mean is not None:
                targets = around(self._prior(design.n_columns), design, targets)
            classes = ClassesWithWeight(targets, self.fit_intercept)
            specification = self._specification().of(classes)
            objective = specification.objective(
                design, classes.targets, self.C, targets.total_weight
            )
            result = self._fit_rows(specification, objective, classes, previous, watched)
            self._stream = self._begun_stream(objective, targets)
            self.n_iter_ = np.array([result.n_iter], dtype=np.int32)
            self.loss_curve_ = result.loss_curve
            self.optimality_gap_ = float(result.remaining)
            self.objective_ = objective_of(result.value, self.C, targets.total_weight)
            self.objective_ += self._penalty_of_others(classes, objective)
            separation = self._separation(design, targets, result.reason)
        watched.end()
        self._warn(result, separation, targets.offset is not None)
        return self

    @available_if(can_stream)
    @fit_context(prefer_skip_nested_validation=True)
    @blas_held_to_one_thread
    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
        offset: Any = None,
    ) -> Self:
        """Update the model by one pass over some rows, on minibatches.

        The penalty has the strength that it has in `fit` on all rows of the stream so far, and the
        coordinates are standardised by the means and variances of these rows.

        After the first ``1 / learning_rate_init`` steps, `coef_` and `intercept_` are a weighted
        average of the iterates, with the number of the step as the weight (Polyak and Juditsky,
        1992). In each call the average is first compared with the latest iterate on some of the new
        rows. If the rows seen so far have become more likely under the latter by a factor of e²⁰,
        the stream counts as changed, and the average and an 'adaptive' learning rate begin anew.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The next rows.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or class probabilities; columns of a DataFrame are identified by their names.
        classes : array-like of shape (n_classes,), default=None
            All classes of the stream. They are required in the first call unless y holds class
            probabilities. If these are in an array, whose columns have no names, `classes` names
            the columns, in this and later calls; by default they are in the order of `classes_`.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Known scores of these rows, as in `fit`.

        Returns
        -------
        SoftmaxRegression
            The updated estimator.

        Raises
        ------
        ValueError, TypeError
            If data or parameters are invalid; the estimator is then left unchanged.
        """
        watched = Watched(self, X, y, sample_weight, 0, offset)
        with self._unchanged_on_failure():
            first = not self._has_model()
            columns = self._stream_classes(classes, y, first)
            design = self._validate_rows(X, reset=first).in_rows()
            targets = self._encode(y, design, sample_weight, columns, offset)
            self.solver_ = "adam" if self.solver == "auto" else self.solver
            stream = self._resumed_stream(self.solver_, first)
            stream.columns = np.searchsorted(targets.classes, columns)
            stream.count(targets)
            weight = stream.mean_weight(targets)
            self.classes_ = targets.classes
            if self.prior_mean is not None:
                targets = around(self._prior(design.n_columns), design, targets)
            base = self._specification().objective(design, targets, self.C, stream.weight)
            # The scales are those of all rows so far, as a feature may be constant in one piece.
            objective = base.standardized(stream.average(base.data.moments(), targets.total_weight))
            batches = self._batches(len(base.rows), stream.random_state)
            rate = self._learning_rate(objective, 1 / batches.size)
            previous = None if first else self._solution()
            watched.begin()
            model = objective.from_model(*self._start(design.n_columns, previous))
            params = model.copy()
            if stream.offset is not None:
                params += objective.from_model(*base.layout.unpack(stream.offset))
            loss = stream.train(objective, model, params, rate, batches, weight)
            self._refuse_divergence(params, loss, 1)
            self._store(*objective.to_model(model), Rounding.of(base))
            reached = base.layout.pack(*objective.to_model(params))
            stream.offset = reached - base.layout.pack(self._deviation(self.coef_), self.intercept_)
            self._stream = state_of(vars(stream))
            for name in ("objective_", "optimality_gap_"):  # They were those of another model.
                self.__dict__.pop(name, None)
            before = {} if first else vars(self)
            self.n_iter_ = np.array([before.get("n_iter_", [0])[0] + 1], dtype=np.int32)
            self.loss_curve_ = [*before.get("loss_curve_", []), loss]
        watched.end()
        return self

    # -- pieces ------------------------------------------------------------------------------------

    def _check_combination(self) -> None:
        """Raise unless the penalty, bounds, bias reduction and solver go together."""
        bounded = self.bounds is not None
        check_bias_reduction(self.bias_reduction, self.C, self.l1_ratio, bounded, self.solver)
        check_solver(self.solver, self.l1_ratio, bounded)

    def _bounds(self) -> tuple[Array, Array] | None:
        """Return the bounds of W less the prior mean; None without bounds."""
        if self.bounds is None:
            return None
        lower, upper = coefficient_bounds(self.bounds, self.classes_, self.n_features_in_)
        return self._deviation(lower), self._deviation(upper)

    def _with_prior(self, coef: Array) -> Array:
        moved = super()._with_prior(coef)
        if moved is coef or self.bounds is None:
            return moved
        return np.clip(moved, *coefficient_bounds(self.bounds, self.classes_, coef.shape[1]))

    def _specification(self) -> Specification:
        return Specification(
            self.fit_intercept,
            self.solver,
            self.tol,
            self.max_iter,
            self.l1_ratio,
            self.penalty_grouping,
            self._bounds(),
            self.bias_reduction,
            feature_weights(self.penalty_weights, self.standardize, self.n_features_in_),
        )

    def _fit_rows(
        self,
        specification: Specification,
        base: LinearCrossEntropy,
        classes: ClassesWithWeight,
        previous: Any,
        watched: Watched,
    ) -> SolverResult:
        """Find and store the model; return the result of the solver for the stored model."""
        rounding = Rounding.of(base)
        watched.begin()
        if classes.is_one:  # Its probability is 1 at the minimum.
            self.solver_: str = solver_without_unknowns(specification, self.C)
            model = base.layout.unpack(np.zeros(base.n_params))
            self._store(*self._of_all_classes(classes, base, *model), rounding)
            return SolverResult(np.zeros(0), 0.0, 0, StopReason.CONVERGED, remaining=0.0)
        n_columns = base.data.n_columns
        if self.solver in MINIBATCH_SOLVERS:
            start = classes.restrict_model(*self._start(n_columns, previous))
            objective, result = self._minimize_batches(classes, base, *start, watched)
            self._store_solution(classes, base, objective, result, rounding)
            return self._certified(classes, objective, result)
        starts = [base.null_model()]
        if previous is not None:  # It may be a bad start if the data have changed.
            starts.append(classes.restrict_model(*self._start(n_columns, previous)))
        if self.prior_mean is not None:
            starts.append(self._null_start(base, classes))
        problem, result = self._minimize(specification, classes, base, starts, watched)
        self._store_solution(classes, base, problem, result, rounding)
        return rounding.certified(problem, result, *self._held(classes), self.tol)

    def _store_solution(
        self,
        classes: ClassesWithWeight,
        base: LinearCrossEntropy,
        problem: PosedProblem | LinearCrossEntropy,
        result: SolverResult,
        rounding: Rounding,
    ) -> None:
        """Store a solution as the model, with the classes that were not fitted."""
        model = problem.to_model(result.params)
        self._store(*self._of_all_classes(classes, base, *model, result.value), rounding)

    def _null_start(
        self, objective: LinearCrossEntropy, classes: ClassesWithWeight
    ) -> tuple[Array, Array]:
        """Return W = 0 less the prior mean, and b: a start in case the prior mean fits badly."""
        coef = classes.restrict(-self._prior(objective.design.n_columns))
        intercept = objective.null_model()[1]
        if self.fit_intercept:  # The scores of the mean row by the prior mean are subtracted.
            intercept = intercept - coef @ objective.data.moments().means
        return coef, intercept

    def _minimize(
        self,
        specification: Specification,
        classes: ClassesWithWeight,
        base: LinearCrossEntropy,
        starts: list[tuple[Array, Array]],
        watched: Watched,
    ) -> tuple[PosedProblem, SolverResult]:
        """Run a solver of all rows from the best start; return the problem and the result."""
        strength = specification.strength(self.C, classes.targets.total_weight)
        self.solver_, problem = choose(specification, base, strength)
        unknowns = [problem.from_model(*start) for start in starts]

        def attributes(reached: Array) -> dict[str, Any]:
            return self._attributes(classes, base, *problem.to_model(reached))

        def start() -> Array:
            return best_start(problem.objective, unknowns).params

        result = problem.minimize(
            self.solver_,
            unknowns,
            criterion=RelativeGap(),
            tol=self.tol,
            max_iter=self.max_iter,
            report=self._report(),
            watch=watched.steps("iteration", attributes, start),
            deadline=deadline_after(self.max_time),
        )
        self._refuse_divergence(result.params, result.value, result.n_iter)
        return problem, result

    def _held(self, classes: ClassesWithWeight) -> tuple[Array, Array]:
        """Return the stored W, less the prior mean, and b of the classes that were fitted."""
        return classes.restrict_model(self._deviation(self.coef_), self.intercept_)

    def _without_shared_part(self, coef: Array) -> Array:
        # With a penalty that makes zeros, or with bounds, the solver has subtracted it already.
        kept = makes_zeros(self.l1_ratio, self.C) or self.bounds is not None
        return coef if kept else super()._without_shared_part(coef)

    def _of_all_classes(
        self,
        classes: ClassesWithWeight,
        base: LinearCrossEntropy,
        coef: Array,
        intercept: Array,
        value: float = 1.0,
    ) -> tuple[Array, Array]:
        """Return W and b of all classes, including those that have no weight."""
        if classes.are_all:
            return coef, intercept
        others = smallest_coefficients(self._bounds(), self.classes_, base.design.n_columns)
        return classes.expand(coef, intercept, base.design, others, value)

    def _penalty_of_others(self, classes: ClassesWithWeight, base: LinearCrossEntropy) -> float:
        """Return the penalty of the coefficients of classes that were not fitted."""
        if classes.are_all or np.isinf(self.C):
            return 0.0
        n_features = base.design.n_columns
        coef = smallest_coefficients(self._bounds(), self.classes_, n_features)
        if not classes.is_one:
            coef = coef[~classes.fitted]
        return 0.5 * float(np.vdot(np.square(base.penalty.roots[:n_features]) * coef, coef))

    def _attributes(
        self,
        classes: ClassesWithWeight,
        base: LinearCrossEntropy,
        coef: Array,
        intercept: Array,
    ) -> dict[str, Any]:
        """Return the attributes for predictions by W and b of the fitted classes."""
        model = copy.copy(self)
        model._store(*self._of_all_classes(classes, base, coef, intercept), Rounding.of(base))
        return {"coef_": model.coef_, "intercept_": model.intercept_}

    def _separation(self, design: Design, targets: Targets, reason: StopReason) -> str | None:
        """Return a sentence on why there is no finite minimum; None if there is one."""
        keeps_finite = self.bounds is not None or self.bias_reduction is not None
        columns = unpenalized(self.C, self.penalty_weights, design.n_columns)
        if keeps_finite or self.solver in MINIBATCH_SOLVERS or not len(columns):
            return None
        return separation_at(
            design,
            targets,
            self._deviation(self.coef_),
            self.intercept_,
            reason,
            fit_intercept=self.fit_intercept,
            names=getattr(self, "feature_names_in_", None),
            columns=columns,
        )

    def _warn(self, result: SolverResult, separation: str | None, has_offset: bool) -> None:
        if separation is not None:
            what, remedy_of_it = "C=inf", "Set bias_reduction='firth', or C to a finite value"
            if np.isfinite(self.C):
                what = "penalty_weights with zeros"
                remedy_of_it = "Give these features positive penalty_weights"
            what = f"{type(self).__name__}({what})"
            warn_of_separation(what, separation, remedy_of_it, stacklevel=5)
            return
        # A large loss may also come from bounds, from a prior with few rows, or from offsets.
        free = self.bounds is None and self.bias_reduction is None and not has_offset
        worse = free and self._worse_than_guessing(result)
        wanted = StopReason.CONVERGED, StopReason.NO_IMPROVEMENT, StopReason.STOPPED
        if result.reason in wanted and not worse:
            return
        self._warn_stopped(
            result,
            what_is_left(result, self.objective_, self.tol)
            + remedy(
                result,
                self.solver_,
                worse=worse,
                dtype=self.coef_.dtype,
                bounded=self.bounds is not None,
            ),
        )
