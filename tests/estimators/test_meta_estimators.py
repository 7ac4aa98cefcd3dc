"""In scikit-learn's meta-estimators the estimators behave as scikit-learn's own do."""

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import RFE, RFECV, SelectFromModel, SequentialFeatureSelector
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    KFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV

X = pd.DataFrame(
    StandardScaler().fit_transform(load_iris().data), columns=["sepal", "width", "petal", "breadth"]
)
LABELS = load_iris().target_names[load_iris().target]
TWO = (LABELS == "virginica").astype(int)
BOTH = np.column_stack([TWO, LABELS == "setosa"]).astype(int)
SOME = np.where(np.arange(len(X)) % 3, load_iris().target, -1)
WEIGHT = np.random.default_rng(0).uniform(0.5, 2, len(X))

OURS = SoftmaxRegression(tol=1e-10)
THEIRS = LogisticRegression(tol=1e-8, max_iter=1000)


def stack(model, **params):
    first_level = [("first", model), ("second", clone(model))]
    return StackingClassifier(first_level, final_estimator=clone(model), cv=3, **params)


# What comes out of each with a classifier in it.
USES = {
    "calibrated": lambda model: (
        CalibratedClassifierCV(model, cv=3).fit(X, LABELS, sample_weight=WEIGHT).predict_proba(X)
    ),
    "calibrated, isotonic": lambda model: (
        CalibratedClassifierCV(model, cv=3, method="isotonic", ensemble=False)
        .fit(X, LABELS)
        .predict_proba(X)
    ),
    "frozen": lambda model: (
        CalibratedClassifierCV(FrozenEstimator(model.fit(X, LABELS)))
        .fit(X, LABELS)
        .predict_proba(X)
    ),
    "one vs rest": lambda model: OneVsRestClassifier(model).fit(X, LABELS).predict_proba(X),
    "one vs rest, multilabel": lambda model: (
        OneVsRestClassifier(model).fit(X, BOTH).predict_proba(X)
    ),
    "one vs one": lambda model: OneVsOneClassifier(model).fit(X, LABELS).decision_function(X),
    "output codes": lambda model: (
        OutputCodeClassifier(model, random_state=0).fit(X, LABELS).predict(X)
    ),
    "multioutput": lambda model: np.hstack(
        MultiOutputClassifier(model).fit(X, BOTH, sample_weight=WEIGHT).predict_proba(X)
    ),
    "chain": lambda model: (
        ClassifierChain(model, cv=3, random_state=0).fit(X, BOTH).predict_proba(X)
    ),
    "stacking": lambda model: stack(model).fit(X, LABELS, sample_weight=WEIGHT).predict_proba(X),
    "stacking, as a frame": lambda model: (
        stack(model, passthrough=True).set_output(transform="pandas").fit(X, LABELS).transform(X)
    ),
    "voting": lambda model: (
        VotingClassifier([("first", model), ("second", LogisticRegression())], voting="soft")
        .fit(X, LABELS, sample_weight=WEIGHT)
        .predict_proba(X)
    ),
    "bagging": lambda model: (
        BaggingClassifier(model, n_estimators=3, max_features=2, random_state=0)
        .fit(X, TWO)
        .predict_proba(X)
    ),
    "boosting": lambda model: (
        AdaBoostClassifier(model, n_estimators=3, random_state=0).fit(X, LABELS).predict_proba(X)
    ),
    "elimination": lambda model: RFE(model, n_features_to_select=2).fit(X, LABELS).ranking_,
    "elimination, validated": lambda model: RFECV(model, cv=3).fit(X, LABELS).ranking_,
    "selection": lambda model: (
        SelectFromModel(model).set_output(transform="pandas").fit(X, LABELS).transform(X)
    ),
    "sequential selection": lambda model: (
        SequentialFeatureSelector(model, n_features_to_select=2, cv=3).fit(X, LABELS).get_support()
    ),
    "self-training": lambda model: (
        SelfTrainingClassifier(model, max_iter=3).fit(X, SOME).predict_proba(X)
    ),
    "tuned threshold": lambda model: TunedThresholdClassifierCV(model, cv=3).fit(X, TWO).predict(X),
    "fixed threshold": lambda model: (
        FixedThresholdClassifier(model, threshold=0.3, response_method="predict_proba")
        .fit(X, TWO)
        .predict(X)
    ),
    "search": lambda model: (
        GridSearchCV(
            model, {"C": [0.1, 1]}, cv=3, scoring=["neg_log_loss", "f1_macro"], refit=False
        )
        .fit(X, LABELS)
        .cv_results_["mean_test_neg_log_loss"]
    ),
    "folds that lack a class": lambda model: cross_val_predict(
        model, X, LABELS, cv=KFold(3), method="predict_proba"
    ),
    "learning curve": lambda model: learning_curve(
        model, X, LABELS, cv=3, train_sizes=[0.5, 1.0], shuffle=True, random_state=0
    )[2],
    "validation curve": lambda model: validation_curve(
        model, X, LABELS, param_name="C", param_range=[0.1, 1], cv=3
    )[1],
    "importances": lambda model: (
        permutation_importance(
            model.fit(X, LABELS), X, LABELS, random_state=0, scoring="neg_log_loss"
        ).importances
    ),
    "partial dependence": lambda model: partial_dependence(
        model.fit(X, LABELS), X, ["petal"], grid_resolution=5
    )["average"],
}


# With sample_weight routed to what fits, and where that is asked for to what scores.
ROUTED_USES = {
    "calibrated": lambda model, **routed: (
        CalibratedClassifierCV(model, cv=3).fit(X, LABELS, **routed).predict_proba(X)
    ),
    "one vs rest": lambda model, **routed: (
        OneVsRestClassifier(model).fit(X, LABELS, **routed).predict_proba(X)
    ),
    "one vs one": lambda model, **routed: (
        OneVsOneClassifier(model).fit(X, LABELS, **routed).decision_function(X)
    ),
    "output codes": lambda model, **routed: (
        OutputCodeClassifier(model, random_state=0).fit(X, LABELS, **routed).predict(X)
    ),
    "multioutput": lambda model, **routed: np.hstack(
        MultiOutputClassifier(model).fit(X, BOTH, **routed).predict_proba(X)
    ),
    "chain": lambda model, **routed: ClassifierChain(model).fit(X, BOTH, **routed).predict_proba(X),
    "stacking": lambda model, **routed: stack(model).fit(X, LABELS, **routed).predict_proba(X),
    "bagging": lambda model, **routed: (
        BaggingClassifier(model, n_estimators=3, random_state=0)
        .fit(X, LABELS, **routed)
        .predict_proba(X)
    ),
    "selection": lambda model, **routed: (
        SelectFromModel(model).fit(X, LABELS, **routed).get_support()
    ),
    "search": lambda model, **routed: (
        GridSearchCV(model, {"C": [0.1, 1]}, cv=3)
        .fit(X, LABELS, **routed)
        .cv_results_["mean_test_score"]
    ),
    "cross-validation": lambda model, **routed: cross_validate(
        model, X, LABELS, cv=3, params=routed
    )["test_score"],
    "predictions": lambda model, **routed: cross_val_predict(
        model, X, LABELS, cv=3, params=routed, method="predict_proba"
    ),
    "fixed threshold": lambda model, **routed: (
        FixedThresholdClassifier(model, threshold=0.3).fit(X, TWO, **routed).predict(X)
    ),
}


def assert_same(ours, theirs):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.dtype == theirs.dtype
    if theirs.dtype.kind == "f":
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    else:
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.filterwarnings("ignore:Number of classes in training fold")
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_what_comes_out_is_what_it_is_with_logistic_regression(use):
    assert_same(use(clone(OURS)), use(clone(THEIRS)))


@pytest.mark.parametrize("use", ROUTED_USES.values(), ids=ROUTED_USES)
def test_sample_weight_is_routed_as_with_logistic_regression(use):
    with config_context(enable_metadata_routing=True):
        ours, theirs = (
            clone(model).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
            for model in (OURS, THEIRS)
        )
        assert_same(use(ours, sample_weight=WEIGHT), use(theirs, sample_weight=WEIGHT))


def test_columns_of_frames_are_named_as_with_logistic_regression():
    def columns(model):
        stacked = stack(model).set_output(transform="pandas").fit(X, LABELS).transform(X).columns
        voting = VotingClassifier([("first", model)], voting="soft", flatten_transform=True)
        voted = voting.set_output(transform="pandas").fit(X, LABELS).transform(X).columns
        return [name.replace(type(model).__name__.lower(), "model") for name in [*stacked, *voted]]

    assert columns(clone(OURS)) == columns(clone(THEIRS))


# -- features that a penalty keeps -----------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        SoftmaxRegression(C=0.1, l1_ratio=1.0),
        SoftmaxRegression(C=0.1, l1_ratio=1.0, penalty_grouping="features"),
        SoftmaxRegressionCV(Cs=[0.1], l1_ratios=[1.0], cv=3),
    ],
    ids=["lasso", "group lasso", "lasso, validated"],
)
def test_selection_keeps_what_a_lasso_has_not_made_zero(model):
    selection = SelectFromModel(model).fit(X, LABELS)
    kept = selection.estimator_.coef_.any(axis=0)
    assert 1 < kept.sum() < len(kept)
    np.testing.assert_array_equal(selection.get_support(), kept)


@pytest.mark.parametrize(
    ("C", "l1_ratio", "name"),
    [(1.0, 0, "l2"), (1.0, 0.5, "elasticnet"), (1.0, 1, "l1"), (np.inf, 0, None)],
)
def test_a_penalty_has_scikit_learns_name(C, l1_ratio, name):
    assert SoftmaxRegression(C=C, l1_ratio=l1_ratio).penalty == name
    validated = SoftmaxRegressionCV(Cs=[C], l1_ratios=[l1_ratio], cv=3)
    assert not hasattr(validated, "penalty")
    assert validated.fit(X, np.arange(len(X)) % 3).penalty == name  # nothing to tell apart


class WithPenalty(SoftmaxRegression):
    """Has a parameter in the place of two others, as scikit-learn's peer once had."""

    def __init__(self, *, C=1.0, penalty="l2"):
        super().__init__(C=C)
        self.penalty = penalty

    def fit(self, X, y):
        self.l1_ratio = {"l1": 1.0, "l2": 0.0}[self.penalty]
        return super().fit(X, y)


def test_a_subclass_may_have_a_parameter_named_penalty():
    model = WithPenalty(penalty="l1", C=0.1)
    assert clone(model).get_params() == {"C": 0.1, "penalty": "l1"}
    kept = SelectFromModel(model).fit(X, LABELS).get_support()
    expected = SelectFromModel(SoftmaxRegression(C=0.1, l1_ratio=1.0)).fit(X, LABELS)
    np.testing.assert_array_equal(kept, expected.get_support())
    assert model.set_params(penalty="l2").penalty == "l2"
    assert pickle.loads(pickle.dumps(model)).penalty == "l2"


@pytest.mark.parametrize("model", [SoftmaxRegression(), SoftmaxRegressionCV()])
def test_others_say_what_takes_the_place_of_penalty(model):
    with pytest.raises(
        AttributeError, match=r"has no parameter 'penalty': l1_ratio.* 'elasticnet'"
    ):
        model.penalty = "l1"
    assert "penalty" not in vars(model)


# -- networks --------------------------------------------------------------------------------------


LACKING = {"elimination", "elimination, validated", "selection", "search", "validation curve"}
USES_OF_NETWORKS = {name: use for name, use in USES.items() if name not in LACKING}  # no coef_, C


@pytest.mark.skipif(
    "sample_weight" not in inspect.signature(MLPClassifier.fit).parameters,
    reason="MLPClassifier takes no weights before scikit-learn 1.7",
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:Number of classes in training fold")
@pytest.mark.parametrize("use", USES_OF_NETWORKS.values(), ids=USES_OF_NETWORKS)
def test_what_comes_out_is_of_the_kind_it_is_with_mlp_classifier(use):
    params = {"max_iter": 15, "learning_rate_init": 0.1, "random_state": 0}
    ours = np.asarray(use(SmallMLP((3,), **params)))
    theirs = np.asarray(use(MLPClassifier((3,), **params)))
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
