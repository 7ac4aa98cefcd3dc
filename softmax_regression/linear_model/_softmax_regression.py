"""`SoftmaxRegression`: multinomial logistic regression as a scikit-learn estimator.

This file speaks scikit-learn: parameters, validation, fitted attributes. What is minimised is in
`objectives/`, how in `solvers/`.
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
from softmax_regression._estimators.linear_classifier import (
    PenaltyName,
    penalty_name,
)
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
        Of which coefficients the penalty makes zeros: each by itself; or all that belong to a
        feature together, with :math:`\rho \sum_j \|W_{:j}\|_2` in the place of
        :math:`\rho \|W\|_1`, the group lasso (without a factor for the number of classes, as in
        glmnet). Matters only with `l1_ratio` above 0.
    {penalty_weights}
    bounds : (lower, upper) or None, default=None
        Bounds of the coefficients: each a number, None for no bound on that side, or an array that
        can be broadcast to the shape of `coef_`: (n_features,) for a bound for each feature. So
        ``(0, None)`` asks for coefficients that are not negative, and equal bounds fix them. The
        intercept is free. What ends at a bound is exactly there. Needs `l1_ratio` 0, and a solver
        that keeps within them: 'auto', 'lbfgs' or 'newton-cholesky'; `partial_fit` does not.
    bias_reduction : {'firth'} or None, default=None
        'firth' adds Jeffreys' prior to the likelihood, :math:`\tfrac12 \log\det` of the Fisher
        information, which takes away the first-order bias of the estimate and keeps it finite
        where classes are separated. Needs ``C=inf``, `l1_ratio` 0, no `bounds`, columns of X that
        are not collinear, and solver 'auto' or 'newton-cholesky'; `partial_fit` has no part of it.
    fit_intercept : bool, default=True
        Whether to add an intercept b to the scores.
    {class_weight}
    solver : str, default='auto'
        How the minimum is found, by one of:

        - 'newton-cholesky': Newton's method with the Hessian itself, of order
          (n_classes − 1) · n_features: the fewest iterations, best where that is small;
        - 'newton-cg': Newton's method with conjugate gradients, preconditioned by a Hessian that is
          made from a sample of the rows, in part, or only on its diagonal, as the size allows;
        - 'lbfgs': quasi-Newton through SciPy, in unknowns whitened by the same matrix;
        - 'sgd', 'adam': minibatches. They get near the optimum in a few passes over large data,
          and serve `partial_fit`;
        - 'proximal-newton': Newton's method with the Hessian of the coefficients that are not 0:
          the one for `l1_ratio` above 0, and for nothing else;
        - 'auto': for `fit` 'proximal-newton' with `l1_ratio` above 0, else 'newton-cholesky' up to
          an order of 128 and 'newton-cg' beyond; for `partial_fit` 'adam'. With `bounds`,
          'newton-cholesky' up to an order of 1000, of n_classes · (n_features + 1) or, where that
          is far smaller, n_classes · n_samples; and 'lbfgs' beyond.
    tol : float, default=1e-6
        The solvers of all rows stop once the objective provably lies within this fraction of the
        minimum (the relative duality gap; for ``C=inf`` the Newton decrement instead). 'sgd' and
        'adam' ask for this much decrease of an epoch's mean loss.
    max_iter : int, default=1000
        Most iterations, or epochs of 'sgd' and 'adam'.
    max_time : float, default=None
        Seconds after which no other iteration or epoch is begun.
    warm_start : bool, default=False
        Whether `fit` begins at the previous solution; where the data have become others,
        solvers of all rows leave it if the null model is better.
    random_state : int, RandomState instance or None, default=None
        Seeds the order of rows of 'sgd' and 'adam'. The other solvers use no randomness.
    verbose : int or bool, default=0
        Whether to print a line for each iteration.
    batch_size : int or 'auto', default='auto'
        Rows in a minibatch; 'auto' is ``min(200, n_samples)``.
    learning_rate : str, default='adaptive'
        How the step size of 'sgd' and 'adam' changes:

        - 'constant': not at all;
        - 'invscaling': as ``learning_rate_init / (n_rows_seen + 1) ** power_t``;
        - 'adaptive': divided by 5 whenever the loss has stopped improving; in `partial_fit`, which
          sees no epochs, ``min(learning_rate_init, (learning_rate_init / t) ** 0.5)`` with t the
          number of steps since the stream began or last changed;
        - 'cosine': along half a cosine to 0 at the end of `max_iter` epochs;
        - 'one-cycle': up in the first tenth of them, and then so down. The last two always take
          `max_iter` epochs.
    learning_rate_init : float or 'auto', default='auto'
        The first step size. 'auto' takes the inverse of a bound of the curvature for
        'sgd', and 0.03 for 'adam'. Both step in standardised coordinates.
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
        The labels; for class probabilities, the names of their columns. They are sorted, and the
        columns of all that is returned are in their order.
    coef_ : ndarray of shape (n_classes, n_features), or (1, n_features) for two classes
        W, of the dtype of X.
    intercept_ : ndarray of shape (n_classes,), or (1,) for two classes
        b; zeros without intercept.
    n_iter_ : ndarray of shape (1,)
        Iterations or epochs done.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X had names that are all strings.
    objective_ : float
        The objective above at `coef_` and `intercept_` (for ``C=inf`` its first term, without C);
        inf where it is too large for a float. With `bias_reduction`, the prior is part of it; see
        the notes.
    optimality_gap_ : float
        How far `objective_` can at most lie above the minimum, as a fraction of itself. Certified
        by the dual problem; without a penalty (``C=inf``) or bounds on all sides, by a dual point
        of a Newton step, which is a bound as long as the minimum is no farther away than about
        twice the length of the solution, and an estimate else. So it is where some
        `penalty_weights` are 0, for these features, or with `offset` for the intercept, up to a
        hundred times that length. Of float32 data it counts what rounding `coef_` and
        `intercept_` costs: where that is more than `tol` allows, as with features very far from 0
        beside their deviation, a warning says so. With `bias_reduction`, whose objective is not
        convex, it is an estimate and no bound: the Newton decrement of the adjusted score.
    loss_curve_ : list of float
        After each iteration, the objective divided by C times the sum of weights.
    solver_ : str
        The solver that ran, never 'auto'. Where a single class has weight, there is nothing to
        minimise, and it is the one for the smallest problems.

    See Also
    --------
    SmallMLP : A network with hidden layers on the same loss and solvers.
    softmax_regression.functional : The mathematics as plain functions.
    sklearn.linear_model.LogisticRegression : The same model; `coef_` agrees to solver tolerance.

    Notes
    -----
    Values and gradients, which decide where to stop, are computed in float64 block by block, and
    products with the Hessian in the precision of X; 'sgd' and 'adam' compute in the precision of X,
    and end at the average of the parameters over about the last epoch.
    Scores of float32 rows are sums in float32, as long as a few of the rows show that these keep
    enough digits; else, as with features far from 0, in float64, which takes twice as long. Either
    way they are returned in float32.

    X is not copied, except in small problems and, once, where its order in memory would make each
    step slow: an array that is neither in the order of C nor in that of Fortran (such as every
    second column of another), and for 'sgd', 'adam' and `partial_fit` one in the order of Fortran,
    as DataFrames hold their values.

    A class whose rows all have weight 0 stays in `classes_`. With an intercept, the other classes
    are fitted without it, and it gets coefficients of 0 and an intercept so low that its
    probability vanishes at every row of X. Where a single class has weight, its probability is 1.

    With `bounds`, Newton's method solves a quadratic model within them in each iteration, by active
    sets; 'lbfgs' is SciPy's L-BFGS-B. Of two classes, a feature whose coefficient is not negative
    can only speak for the second. With three or more, what counts are differences between classes,
    and a number added to the coefficients of a feature in all classes changes no probability: a
    lower bound of 0 does not say that the probability of a class rises with the feature, and where
    it is the only one, it restricts the model by the penalty alone.

    With ``bias_reduction='firth'`` what is minimised is the loss (without C) plus
    :math:`\tfrac12 \log \det B - \tfrac12 \log \det I(W, b)`. I is the Fisher information of the
    differences between classes, intercepts included, each row counted as often as its weight says:
    whichever class they are taken from, the determinant is the same. B is an upper bound of I that
    does not depend on W and b (Böhning, 1992): with it the objective is not negative, and does not
    depend on units. For two classes it is the method of Firth (1993) and of R's logistf, for more
    classes that of brglm2 (Kosmidis and Firth, 2011). Unlike all others here, this objective is not
    convex: Fisher's scoring leads downhill to a minimum, and nothing certifies that it is the only
    one. In tests it was, but for few rows with weights a thousandfold unequal. A step takes
    n_samples · (n_classes · n_features)² operations. Classes without rows of weight are left out as
    ever.

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

    Evidence only for a class, not against it:

    >>> model = SoftmaxRegression(bounds=(0, None)).fit(X, y)
    >>> model.coef_.round(1)
    array([[0. , 1.6, 0. , 0. ],
           [0.9, 0. , 1.6, 0. ],
           [0.4, 0. , 4. , 2.7]])

    Classes that are told apart perfectly, and estimates that are finite:

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
        """What scikit-learn calls the penalty: 'l1', 'l2', 'elasticnet' or None.

        `sklearn.feature_selection.SelectFromModel` goes by it: of an 'l1' penalty it keeps the
        features whose coefficients are not 0, else those whose coefficients are large. In a
        subclass that has a parameter of this name, it is that parameter.
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
            Labels; or class probabilities, rows that sum to 1, whose columns are the classes: those
            of a DataFrame by their names, in any order, those of an array 0, 1, 2, ….
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A weight of 0 is the same as leaving the row out, an integer
            weight the same as repeating it.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Known scores that are added to those of the model: with two classes, of ``classes_[1]``
            less ``classes_[0]``; else a column for each class, in the order of `classes_` or, in a
            DataFrame, named by them. They are no part of the model: to predict with them, pass
            those of the rows to predict.

        Returns
        -------
        SoftmaxRegression
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            For data or parameters out of range; the estimator is then as it was before.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If the solver stopped before `tol` was reached; or if with ``C=inf``, or with zeros
            among `penalty_weights`, there is no finite minimum, because features without a penalty
            tell classes apart, some rows or all of them, without an error.
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
        """Update the model by one pass over some rows, in minibatches.

        The penalty is shared out over the whole stream: it counts as in `fit` on all rows so far.
        The coordinates are standardised by the means and variances of all rows of the stream so
        far.

        After the first ``1 / learning_rate_init`` steps, `coef_` and `intercept_` are an average of
        the parameters that the steps lead to, weighted by the number of the step (Polyak and
        Juditsky, 1992). Some rows of each piece first serve to compare this average with the latest
        parameters: where these have become the more likely by a factor of e²⁰, the stream has
        changed, and the average and an 'adaptive' learning rate begin anew.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The next rows.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Their labels, or class probabilities: columns of a DataFrame are found by their names.
        classes : array-like of shape (n_classes,), default=None
            All classes of the stream: needed in the first call (unless y holds probabilities). With
            class probabilities in an array, whose columns have no names, they name these, here and
            from then on; by default these are in the order of `classes_`.
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
            For data or parameters out of range; the estimator is then as it was before.
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
            # Scales are those of all rows so far: a feature may be constant in the first piece.
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
            for certificate in ("objective_", "optimality_gap_"):  # not of this model any more
                self.__dict__.pop(certificate, None)
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
        """Return the bounds of W less what it shrinks towards."""
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
        """Find the model of all rows and store it; return how the solver ended."""
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
        if previous is not None:  # It may be far out where the data are others.
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
        """Make a solution the model, with the classes that were not fitted."""
        model = problem.to_model(result.params)
        self._store(*self._of_all_classes(classes, base, *model, result.value), rounding)

    def _null_start(
        self, objective: LinearCrossEntropy, classes: ClassesWithWeight
    ) -> tuple[Array, Array]:
        """Return W = 0, less what it shrinks towards, which may be no good on these rows, and b."""
        coef = classes.restrict(-self._prior(objective.design.n_columns))
        intercept = objective.null_model()[1]
        if self.fit_intercept:  # without what the prior mean says of the mean row
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
        """Run a solver on all rows at once, from the best start; return problem and result."""
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
        """Return W, less what it shrinks towards, and b of the classes that were fitted."""
        return classes.restrict_model(self._deviation(self.coef_), self.intercept_)

    def _without_shared_part(self, coef: Array) -> Array:
        # A solver that makes zeros, or keeps within bounds, has taken the smallest already.
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
        """Return W and b with the classes that have no weight, and so were not fitted."""
        if classes.are_all:
            return coef, intercept
        others = smallest_coefficients(self._bounds(), self.classes_, base.design.n_columns)
        return classes.expand(coef, intercept, base.design, others, value)

    def _penalty_of_others(self, classes: ClassesWithWeight, base: LinearCrossEntropy) -> float:
        """Return what the coefficients that were not fitted add to the objective."""
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
        """Return what it takes to predict with W and b of the fitted classes."""
        model = copy.copy(self)
        model._store(*self._of_all_classes(classes, base, coef, intercept), Rounding.of(base))
        return {"coef_": model.coef_, "intercept_": model.intercept_}

    def _separation(self, design: Design, targets: Targets, reason: StopReason) -> str | None:
        """Say why there is no finite minimum, if a penalty is missing; None if there is one."""
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
        # Bounds may ask for that, a prior beside few rows, and known scores be the reason.
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
