"""`DaskSoftmaxRegression`: multinomial logistic regression on Dask arrays and DataFrames."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import validate_data

from softmax_regression._estimators.callbacks import Watched
from softmax_regression._estimators.classifier import defaults_of
from softmax_regression._estimators.parameters import MINIBATCHES, described
from softmax_regression._estimators.types import (
    Auto,
    BiasReduction,
    ClassWeight,
    LearningRateSchedule,
    LinearSolver,
    PenaltyGrouping,
    RandomState,
    fit_context,
)
from softmax_regression._linalg.threads import blas_held_to_one_thread
from softmax_regression._losses.targets import check_more_than_one_class
from softmax_regression._problems.choice import (
    SOLVERS,
    SPARSE_SOLVER,
)
from softmax_regression._problems.objective_scale import objective_of
from softmax_regression.dask._collections import is_array, raw_chunks
from softmax_regression.dask._prediction import accuracy, predicted
from softmax_regression.dask._rows import (
    DaskClassesWithWeight,
    given_classes,
    proved_separation,
    survey,
)
from softmax_regression.dask._schedulers import scheduler_of
from softmax_regression.linear_model import SoftmaxRegression

_OF_BATCHES = frozenset(MINIBATCHES) - {"max_time", "warm_start"}
_OF_DASK = frozenset({"client", "persist", "classes"})
_STREAMS = "for one partition after the other, call partial_fit of SoftmaxRegression"


class SolversOfAllRows(StrOptions):  # type: ignore[misc]
    """Names of solvers; a message about another says what takes the place of minibatches."""

    def __str__(self) -> str:
        return f"{super().__str__()}; 'sgd' and 'adam' are for minibatches: {_STREAMS}"


@described
class DaskSoftmaxRegression(SoftmaxRegression):
    r"""Multinomial logistic regression on Dask collections.

    Minimises what `SoftmaxRegression` minimises, by the same solvers and with the same certificate,
    for rows that do not fit into memory, or that lie on the workers of a cluster:

    .. math:: C \sum_i s_i \, \mathrm{CE}(y_i, \mathrm{softmax}(W x_i + b))
        + \tfrac{1 - \rho}{2} \|W\|_F^2 + \rho \|W\|_1

    Every step is a sum over the rows, made chunk by chunk: the result does not depend on chunks,
    workers or scheduler but for rounding. Without a client, each chunk is read, used and dropped in
    every pass, by as many threads as Dask has, so that memory for a few chunks is enough. With one,
    chunks are kept on the workers, coefficients go out once a pass, and sums come back through a
    tree.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty: positive, larger for less penalty, ``inf`` for none. The
        intercept is never penalised.
    l1_ratio : float, default=0.0
        ρ, between 0 (ridge) and 1 (lasso).
    penalty_grouping : {'none', 'features'}, default='none'
        Which coefficients are set to zero together: none, or those of a feature in all classes.
    penalty_weights : array-like of shape (n_features,), default=None
        The weight of each feature's penalty, as in `SoftmaxRegression`.
    standardize : bool, default=False
        Whether the coefficients of standardised features are penalised.
    bounds : (lower, upper) or None, default=None
        Bounds of the coefficients, as in `SoftmaxRegression`.
    prior_mean, bias_reduction : None
        Parameters of `SoftmaxRegression` that need all rows in memory; `fit` refuses other values.
    fit_intercept : bool, default=True
        Whether to add an intercept b to the scores.
    {class_weight}
    solver : str, default='auto'
        One of 'newton-cholesky', 'newton-cg', 'lbfgs' and 'proximal-newton', or 'auto' for the one
        that suits penalty and size; see `SoftmaxRegression`.
    tol : float, default=1e-6
        The fit stops once the objective provably lies within this fraction of the minimum.
    max_iter : int, default=1000
        The largest number of iterations.
    max_time : float, default=None
        Seconds after which no further iteration begins.
    warm_start : bool, default=False
        Whether `fit` starts from the previous solution.
    random_state, batch_size, learning_rate, learning_rate_init, power_t, shuffle : default
        Parameters of minibatches, of which there are none here: `fit` refuses other values than
        the defaults of `SoftmaxRegression`.
    momentum, nesterovs_momentum, beta_1, beta_2, epsilon, n_iter_no_change : default
        The same.
    verbose : int or bool, default=0
        Whether to print a line for each iteration.
    classes : array-like of shape (n_classes,), default=None
        The classes, if they are known; by default those that the first pass finds.
    client : distributed.Client, default=None
        The client of a cluster. By default the one that Dask would use, the last that was made in
        this process; if there is none, the threads of this process compute.
    persist : bool, default=True
        Whether a cluster keeps the chunks in the memory of its workers during a fit, if they take
        no more than half of it. Else, and without a cluster, they are computed in each pass.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; for class probabilities, the names of their columns.
    coef_ : ndarray of shape (n_classes, n_features), or (1, n_features) for two classes
        W, of the dtype of X.
    intercept_ : ndarray of shape (n_classes,), or (1,) for two classes
        b; zeros without intercept.
    n_iter_ : ndarray of shape (1,)
        The number of iterations.
    n_passes_ : int
        The number of passes through all rows.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        The names of the features, if X is a DataFrame whose names are all strings.
    objective_ : float
        The objective above at `coef_` and `intercept_`.
    optimality_gap_ : float
        The largest amount by which `objective_` can lie above the minimum, as a fraction of itself.
    loss_curve_ : list of float
        The objective after each iteration, divided by C times the sum of weights.
    solver_ : str
        The solver that was used, never 'auto'.
    client_ : distributed.Client or None
        The client of the last fit; None if this process computed. Not part of a pickle.

    See Also
    --------
    softmax_regression.SoftmaxRegression : The same in memory; `to_local` makes one.

    Notes
    -----
    X may be a Dask array of dense chunks, or of SciPy's or `sparse`'s matrices, or a Dask
    DataFrame; y and the weights are collections with chunks of the same rows (arrays of known
    lengths are cut up to fit). Data must not change while they are fitted: they are read several
    times.

    With ``C=inf``, classes that can be told apart perfectly are found; whether some rows can be
    told apart from others is not looked for (`softmax_regression.inference.detect_separation` does,
    in memory).

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import load_iris
    >>> from softmax_regression.dask import DaskSoftmaxRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> X, y = da.from_array(X, chunks=(50, 4)), da.from_array(y, chunks=50)
    >>> model = DaskSoftmaxRegression().fit(X, y)
    >>> model.predict_proba(X).compute()[:1].round(3)
    array([[0.982, 0.018, 0.   ]])
    >>> model.score(X, y).__round__(3)
    0.973
    >>> model.to_local()
    SoftmaxRegression()
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SoftmaxRegression._parameter_constraints,
        "solver": [SolversOfAllRows({"auto", *SOLVERS, SPARSE_SOLVER})],
        "classes": ["array-like", None],
        "client": [HasMethods(["compute", "persist"]), None],
        "persist": ["boolean"],
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
        classes: Any = None,
        client: Any = None,
        persist: bool = True,
    ):
        super().__init__(
            C=C,
            l1_ratio=l1_ratio,
            penalty_grouping=penalty_grouping,
            penalty_weights=penalty_weights,
            standardize=standardize,
            prior_mean=prior_mean,
            bounds=bounds,
            bias_reduction=bias_reduction,
            fit_intercept=fit_intercept,
            class_weight=class_weight,
            solver=solver,
            tol=tol,
            max_iter=max_iter,
            max_time=max_time,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            shuffle=shuffle,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
        )
        self.classes = classes
        self.client = client
        self.persist = persist

    @fit_context(prefer_skip_nested_validation=True)
    @blas_held_to_one_thread
    def fit(  # type: ignore[override]  # known scores are for memory
        self, X: Any, y: Any, sample_weight: Any = None
    ) -> Self:
        """Find the minimum of the objective.

        Parameters
        ----------
        X : Dask array or DataFrame of shape (n_samples, n_features)
            Training data.
        y : Dask array, Series or DataFrame of shape (n_samples,) or (n_samples, n_classes)
            Labels; or class probabilities, whose columns are the classes: those of a DataFrame by
            their names, those of an array 0, 1, 2, ….
        sample_weight : Dask array or Series of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        DaskSoftmaxRegression
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If data or parameters are invalid; for invalid data the message names the chunk.
        LostClientError
            A RuntimeError, if the client of the cluster is closed or has lost its scheduler. After
            any of these the estimator is as it was before.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If the solver stopped before `tol` was reached, or if with ``C=inf`` the classes can be
            told apart perfectly.
        """
        self._check_combination()
        self._refuse_minibatches()
        self._refuse_what_is_in_memory()
        watched = Watched(self, X, y, sample_weight, self.max_iter)
        with self._unchanged_on_failure():
            previous = self._solution() if self.warm_start and self._has_model() else None
            raw, scheduler = raw_chunks(X, y, sample_weight), scheduler_of(self.client)
            self._take_names(X)
            name = type(self).__name__
            rows = survey(raw, scheduler, given_classes(self.classes), self.class_weight, name)
            check_more_than_one_class(rows.targets, name)
            self.classes_ = rows.targets.classes
            classes = DaskClassesWithWeight(rows.targets, self.fit_intercept)
            data = rows.blocks(classes, scheduler, self.persist)
            specification = self._specification().of(classes)
            base = specification.objective_of(data, self.C, classes.targets.total_weight)
            result = self._fit_rows(specification, base, classes, previous, watched)
            self.n_iter_ = np.array([result.n_iter], dtype=np.int32)
            self.loss_curve_ = result.loss_curve
            self.optimality_gap_ = float(result.remaining)
            self.objective_ = objective_of(result.value, self.C, rows.targets.total_weight)
            self.objective_ += self._penalty_of_others(classes, base)
            self.n_passes_ = data.facts.n_passes
            self.client_ = scheduler.client
            self.__dict__.pop("_stream", None)
            separation = proved_separation(
                result.reason,
                data,
                classes,
                self.coef_,
                self.intercept_,
                fit_intercept=self.fit_intercept,
                names=getattr(self, "feature_names_in_", None),
            )
        watched.end()
        self._warn(result, separation, has_offset=False)
        return self

    @property
    def partial_fit(self) -> Any:
        """Not there: streams are fitted in memory, a piece at a time."""
        raise AttributeError(f"{type(self).__name__} has no partial_fit: {_STREAMS}.")

    # -- predictions -------------------------------------------------------------------------------

    def decision_function(self, X: Any) -> Any:  # type: ignore[override]  # known scores are for memory
        """Scores (logits), before softmax, as a lazy collection.

        Parameters
        ----------
        X : Dask array or DataFrame of shape (n_samples, n_features)
            Rows to score. What is in memory is scored at once.

        Returns
        -------
        Dask array of shape (n_samples,) or (n_samples, n_classes)
            With the chunks of X. For a DataFrame, a Series, or a DataFrame with a column for each
            class, with its index.
        """
        return predicted(self.to_local(), "decision_function", X)

    def predict(self, X: Any) -> Any:  # type: ignore[override]  # known scores are for memory
        """The most probable class of each row, as a lazy collection.

        Parameters
        ----------
        X : Dask array or DataFrame of shape (n_samples, n_features)
            Rows to classify. What is in memory is classified at once.

        Returns
        -------
        Dask array of shape (n_samples,)
            With the chunks of X; a Series for a DataFrame.
        """
        return predicted(self.to_local(), "predict", X)

    def predict_proba(self, X: Any) -> Any:  # type: ignore[override]  # known scores are for memory
        """The probability of each class, as a lazy collection.

        Parameters
        ----------
        X : Dask array or DataFrame of shape (n_samples, n_features)
            Rows to classify. What is in memory is classified at once.

        Returns
        -------
        Dask array of shape (n_samples, n_classes)
            With the chunks of X; for a DataFrame, a DataFrame with a column for each class.
        """
        return predicted(self.to_local(), "predict_proba", X)

    def predict_log_proba(self, X: Any) -> Any:  # type: ignore[override]  # known scores are for memory
        """The logarithm of the probability of each class, as a lazy collection.

        Parameters
        ----------
        X : Dask array or DataFrame of shape (n_samples, n_features)
            Rows to classify. What is in memory is classified at once.

        Returns
        -------
        Dask array of shape (n_samples, n_classes)
            With the chunks of X; for a DataFrame, a DataFrame with a column for each class.
        """
        return predicted(self.to_local(), "predict_log_proba", X)

    def score(  # type: ignore[override]  # known scores are for memory
        self, X: Any, y: Any, sample_weight: Any = None
    ) -> float:
        """Accuracy on some rows, computed at once.

        Parameters
        ----------
        X : Dask array or DataFrame of shape (n_samples, n_features)
            Rows to classify.
        y : Dask array, Series or DataFrame of shape (n_samples,) or (n_samples, n_classes)
            True labels, or class probabilities.
        sample_weight : Dask array or Series of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            The weighted share of rows that `predict` gets right.
        """
        raw = raw_chunks(X, y, sample_weight)
        return accuracy(self.to_local(), raw, scheduler_of(self.client))

    def to_local(self) -> SoftmaxRegression:
        """Return the model as a `SoftmaxRegression`, which knows nothing of Dask.

        Returns
        -------
        SoftmaxRegression
            An estimator with the same parameters and fitted attributes.
        """
        self._check_parts()
        parameters = self.get_params(deep=False)
        local = SoftmaxRegression(
            **{name: value for name, value in parameters.items() if name not in _OF_DASK}
        )
        fitted = {name for name in vars(self) if name.endswith("_") and not name.endswith("__")}
        for name in sorted(fitted - {"client_", "n_passes_"}):
            setattr(local, name, vars(self)[name])
        return local

    # -- parts of a fit ----------------------------------------------------------------------------

    def _refuse_minibatches(self) -> None:
        """Raise for parameters that only minibatches have a use for, unless at their defaults."""
        usual = defaults_of(type(self))
        for name in sorted(_OF_BATCHES):
            value = getattr(self, name)
            if value is not usual[name] and value != usual[name]:
                raise ValueError(
                    f"{name}={value!r} is for minibatches, which {type(self).__name__} does not "
                    f"have: leave it at {usual[name]!r}; {_STREAMS}."
                )

    def _refuse_what_is_in_memory(self) -> None:
        """Raise for options that need all rows in memory."""
        for name in ("prior_mean", "bias_reduction"):
            if (value := getattr(self, name)) is not None:
                raise ValueError(
                    f"{name}={value!r} is not for Dask collections: set {name}=None, or fit "
                    "SoftmaxRegression in memory."
                )

    def _take_names(self, X: Any) -> None:
        """Set the number of features and their names."""
        example = np.empty((1, X.shape[1])) if is_array(X) else X._meta_nonempty
        validate_data(self, example, skip_check_array=True, reset=True)

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted estimator with the same parameters, and the same client."""
        parameters = self.get_params(deep=False)
        client = parameters.pop("client")
        copies = {name: clone(value, safe=False) for name, value in parameters.items()}
        return type(self)(**copies, client=client)

    def __getstate__(self) -> Any:
        """Return what is pickled: all but the clients."""
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "client_"} | {
            "client": None
        }
