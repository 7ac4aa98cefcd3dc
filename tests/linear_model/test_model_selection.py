"""`SoftmaxRegressionCV` has the choice and the models of scikit-learn's search over fits."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import accuracy_score, get_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from softmax_regression import SoftmaxRegression, SoftmaxRegressionCV, softmax_path

CS = [1e-3, 0.1, 10.0]
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)


def shuffled(load, seed=0):
    X, y = load(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    return X[order], y[order]


def search(X, y, scoring="neg_log_loss", cv=FOLDS, weight=None, **params):
    grid = GridSearchCV(SoftmaxRegression(tol=1e-8, **params), {"C": CS}, scoring=scoring, cv=cv)
    grid.fit(X, y, sample_weight=weight)
    results = grid.cv_results_
    splits = [key for key in results if key.startswith("split")]
    return grid, np.array([results[key] for key in splits])


@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy", "neg_brier_score", "f1_macro"])
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_scores_and_choice_are_those_of_a_grid_search(load, scoring):
    X, y = shuffled(load)
    if scoring == "neg_brier_score" and load is load_wine:
        pytest.skip("older versions of scikit-learn know it for two classes alone")
    grid, scores = search(X, y, scoring)
    model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, scoring=scoring, tol=1e-8).fit(X, y)
    assert model.scores_.shape == (3, 1, 3)
    np.testing.assert_allclose(model.scores_[:, 0], scores, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(model.mean_scores_[0], scores.mean(axis=0), rtol=1e-3)
    assert grid.best_params_["C"] == model.C_
    best = grid.best_estimator_
    np.testing.assert_allclose(model.coef_, best.coef_, rtol=1e-3, atol=1e-4)
    assert model.objective_ == pytest.approx(best.objective_, rel=1e-7)
    assert model.optimality_gap_ <= 1e-8
    assert model.score(X, y) == pytest.approx(get_scorer(scoring)(best, X, y), rel=1e-3)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_attributes_are_those_of_logistic_regression_cv(n_classes):
    X, y = shuffled(load_iris)
    X, y = X[y < n_classes], y[y < n_classes]
    X = StandardScaler().fit_transform(X)
    options = {"Cs": CS, "cv": FOLDS, "scoring": "neg_log_loss"}
    model = SoftmaxRegressionCV(tol=1e-10, **options).fit(X, y)
    parameters = LogisticRegressionCV._parameter_constraints
    if "use_legacy_attributes" not in parameters:
        pytest.skip("an earlier scikit-learn, whose attributes had other shapes")
    expected = LogisticRegressionCV(
        l1_ratios=(0.0,), use_legacy_attributes=False, tol=1e-10, max_iter=10000, **options
    ).fit(X, y)
    for name in ("C_", "Cs_", "l1_ratio_", "l1_ratios_", "scores_", "coef_", "intercept_"):
        np.testing.assert_allclose(
            getattr(model, name), getattr(expected, name), rtol=1e-3, atol=1e-4, err_msg=name
        )
    for name in ("coefs_paths_", "n_iter_"):
        assert getattr(model, name).shape == getattr(expected, name).shape
    for fold, other in zip(model.coefs_paths_, expected.coefs_paths_, strict=True):
        np.testing.assert_allclose(fold, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("cv", [None, 4, KFold(3, shuffle=True, random_state=1)])
def test_any_number_of_folds(cv):
    X, y = shuffled(load_wine)
    grid, scores = search(X, y, cv=cv)
    model = SoftmaxRegressionCV(Cs=CS, cv=cv, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(model.scores_[:, 0], scores, rtol=1e-3)
    assert grid.best_params_["C"] == model.C_


def test_folds_as_masks_or_numbers():
    X, y = shuffled(load_wine)
    numbers = list(FOLDS.split(X, y))
    masks = [(np.isin(np.arange(len(y)), a), np.isin(np.arange(len(y)), b)) for a, b in numbers]
    models = [SoftmaxRegressionCV(Cs=CS, cv=cv).fit(X, y) for cv in (numbers, masks)]
    np.testing.assert_array_equal(models[0].scores_, models[1].scores_)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy", "roc_auc_ovr"])
def test_sample_weight_counts_in_fits_and_scores(scoring):
    X, y = shuffled(load_wine)
    weight = np.random.default_rng(1).uniform(0, 3, len(y))
    model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, scoring=scoring, tol=1e-8).fit(X, y, weight)
    for fold, (train, test) in enumerate(FOLDS.split(X, y)):
        for i, C in enumerate(CS):
            one = SoftmaxRegression(C=C, tol=1e-8).fit(X[train], y[train], weight[train])
            score = get_scorer(scoring)(one, X[test], y[test], sample_weight=weight[test])
            assert model.scores_[fold, 0, i] == pytest.approx(score, rel=1e-3)


def test_zero_weight_is_a_row_removed():
    X, y = shuffled(load_wine)
    weight = np.ones(len(y))
    weight[:40] = 0
    folds = list(FOLDS.split(X[40:], y[40:]))
    with_zeros = [(np.r_[:40, a + 40], b + 40) for a, b in folds]
    one = SoftmaxRegressionCV(Cs=CS, cv=with_zeros, tol=1e-10).fit(X, y, weight)
    other = SoftmaxRegressionCV(Cs=CS, cv=folds, tol=1e-10).fit(X[40:], y[40:])
    np.testing.assert_allclose(one.scores_, other.scores_, rtol=1e-4)
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-3, atol=1e-5)


def test_class_weight_counts_in_fits_alone():
    X, y = shuffled(load_wine)
    class_weight = {0: 5.0, 2: 0.5}
    _, scores = search(X, y, class_weight=class_weight)
    model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, class_weight=class_weight, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(model.scores_[:, 0], scores, rtol=1e-3)


@pytest.mark.parametrize("container", ["csr", "strings", "frame", "float32", "wide"])
def test_data_of_any_kind(container):
    X, y = shuffled(load_wine)
    options = {"cv": FOLDS, "tol": 1e-8}
    if container == "wide":  # rotated once, for all folds
        X, y = np.hstack([X[:60], np.random.default_rng(0).normal(size=(60, 120))]), y[:60]
    elif container == "csr":
        X = sparse.csr_array(np.where(np.median(X, axis=0) < X, X, 0))
    elif container == "strings":
        y = np.array(["a", "b", "c"])[y]
    elif container == "frame":
        X, y = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])]), pd.Series(y)
    elif container == "float32":
        X, options["tol"] = X.astype(np.float32), 1e-6
    _, scores = search(X, y)
    model = SoftmaxRegressionCV(Cs=CS, **options).fit(X, y)
    np.testing.assert_allclose(model.scores_[:, 0], scores, rtol=5e-3, atol=1e-3)
    assert model.coef_.dtype == (np.float32 if container == "float32" else np.float64)
    assert model.coefs_paths_.dtype == model.coef_.dtype
    one = SoftmaxRegression(C=model.C_, tol=options["tol"]).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), one.predict_proba(X), atol=2e-3)
    if container == "frame":
        assert model.feature_names_in_.tolist() == list(X.columns)


def test_soft_labels():
    X, y = shuffled(load_wine)
    hard = SoftmaxRegressionCV(Cs=CS, cv=KFold(3)).fit(X, y)
    soft = SoftmaxRegressionCV(Cs=CS, cv=KFold(3)).fit(X, np.eye(3)[y])
    np.testing.assert_allclose(soft.scores_, hard.scores_, rtol=1e-4)
    assert soft.score(X, np.eye(3)[y]) == pytest.approx(hard.score(X, y), rel=1e-4)
    with pytest.raises(ValueError, match=r"needs labels.*neg_log_loss"):
        SoftmaxRegressionCV(scoring="roc_auc_ovr").fit(X, np.eye(3)[y])


def test_one_standard_error_rule():
    X, y = shuffled(load_wine)
    Cs = np.logspace(-4, 4, 17)
    best = SoftmaxRegressionCV(Cs=Cs, cv=FOLDS).fit(X, y)
    simpler = SoftmaxRegressionCV(Cs=Cs, cv=FOLDS, selection="1se").fit(X, y)
    np.testing.assert_allclose(
        best.score_standard_errors_[0], best.scores_[:, 0].std(axis=0, ddof=1) / np.sqrt(3)
    )
    at = best.mean_scores_[0].argmax()
    assert Cs[at] == best.C_
    enough = best.mean_scores_[0, at] - best.score_standard_errors_[0, at]
    assert simpler.C_ == Cs[np.flatnonzero(best.mean_scores_[0] >= enough)[0]] < best.C_
    with pytest.raises(ValueError, match="selection='1se' needs refit=True"):
        SoftmaxRegressionCV(selection="1se", refit=False).fit(X, y)


def test_without_refit_the_best_of_the_folds_are_averaged():
    X, y = shuffled(load_wine)
    model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, refit=False).fit(X, y)
    best = model.scores_[:, 0].argmax(axis=1)
    assert pytest.approx(np.mean(np.array(CS)[best])) == model.C_
    paths = model.coefs_paths_[np.arange(3), 0, best].mean(axis=0)
    np.testing.assert_allclose(model.coef_, paths[:, :-1])
    np.testing.assert_allclose(model.intercept_, paths[:, -1])
    assert not hasattr(model, "objective_")


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc_ovr"])
def test_n_jobs_changes_nothing(scoring):
    X, y = shuffled(load_wine)
    models = [
        SoftmaxRegressionCV(Cs=CS, cv=FOLDS, scoring=scoring, n_jobs=n).fit(X, y) for n in (None, 2)
    ]
    for name in ("scores_", "coefs_paths_", "coef_", "C_"):
        np.testing.assert_allclose(*(getattr(m, name) for m in models), rtol=1e-6, atol=1e-9)


class Spy(SoftmaxRegression):
    """Notes how many threads BLAS may use in `fit`."""

    def fit(self, X, y):
        super().fit(X, y)
        self.n_threads_ = max(
            [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]
        )
        return self

    def score(self, X, y):
        return self.n_threads_


def test_a_grid_search_in_processes_does_not_oversubscribe():
    X, y = shuffled(load_wine)
    with threadpool_limits(None):
        model = make_pipeline(StandardScaler(), Spy())
        grid = GridSearchCV(model, {"spy__C": [0.1, 1.0]}, n_jobs=2, refit=False, cv=2).fit(X, y)
    import joblib

    most = max(1, joblib.cpu_count() // 2)
    assert max(grid.cv_results_["mean_test_score"]) <= most


def test_folds_in_threads_leave_blas_one_thread():
    X, y = shuffled(load_wine)
    seen = []

    def scorer(model, X, y):
        seen.extend(lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas")
        return 0.0

    SoftmaxRegressionCV(Cs=[1.0], scoring=scorer, n_jobs=2).fit(X, y)
    assert set(seen) <= {1}


def test_groups_go_to_the_splitter_by_metadata_routing():
    X, y = shuffled(load_wine)
    groups = np.arange(len(y)) % 6
    expected = SoftmaxRegressionCV(Cs=CS, cv=list(GroupKFold(3).split(X, y, groups))).fit(X, y)
    model = SoftmaxRegressionCV(Cs=CS, cv=GroupKFold(3))
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        model.fit(X, y, groups=groups)
    with sklearn.config_context(enable_metadata_routing=True):
        model.fit(X, y, groups=groups)
    np.testing.assert_allclose(model.scores_, expected.scores_)


def test_sample_weight_goes_to_a_scorer_that_asks_for_it():
    X, y = shuffled(load_wine)
    weight = np.random.default_rng(1).uniform(0, 3, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = get_scorer("accuracy").set_score_request(sample_weight=True)
        asks = SoftmaxRegressionCV(Cs=CS, scoring=scorer, cv=FOLDS).fit(X, y, sample_weight=weight)
        scorer = get_scorer("accuracy").set_score_request(sample_weight=False)
        not_ = SoftmaxRegressionCV(Cs=CS, scoring=scorer, cv=FOLDS).fit(X, y, sample_weight=weight)
    plain = SoftmaxRegressionCV(Cs=CS, scoring="accuracy", cv=FOLDS).fit(X, y, weight)
    np.testing.assert_allclose(asks.scores_, plain.scores_)
    np.testing.assert_allclose(asks.coef_, plain.coef_)
    assert (not_.scores_ != plain.scores_).any()


def test_a_class_that_some_folds_lack():
    X, y = shuffled(load_wine)
    y[0] = 9
    model = SoftmaxRegressionCV(Cs=CS, cv=KFold(3)).fit(X, y)
    assert model.coef_.shape == (4, 13)
    assert np.isfinite(model.scores_).all()
    scored = SoftmaxRegressionCV(Cs=CS, cv=KFold(3), scoring="neg_log_loss").fit(X, y)
    np.testing.assert_array_equal(scored.scores_, model.scores_)
    with pytest.raises(ValueError, match=r"Fold 0.*only one class: 1\. Shuffle"):
        SoftmaxRegressionCV(cv=[(np.flatnonzero(y == 1), np.flatnonzero(y == 2))]).fit(X, y)


def test_survives_pickling_cloning_and_pipelines():
    X, y = shuffled(load_wine)
    model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).coef_, model.coef_)
    np.testing.assert_array_equal(clone(model).fit(X, y).coef_, model.coef_)
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegressionCV(Cs=CS)).fit(X, y)
    assert pipeline.predict(X).shape == y.shape
    nested = GridSearchCV(SoftmaxRegressionCV(Cs=CS, n_jobs=2), {"fit_intercept": [True, False]})
    assert nested.fit(X, y).best_params_["fit_intercept"]


def test_a_failed_fit_changes_nothing():
    X, y = shuffled(load_wine)
    model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS).fit(X, y)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="n_splits"):
        model.set_params(cv=1000).fit(X, y)
    model.set_params(cv=FOLDS)
    assert vars(model) == before


def test_warns_once_of_fits_that_stopped_early():
    X, y = shuffled(load_wine)
    with pytest.warns(ConvergenceWarning, match="in 10 of 10 fits") as caught:
        SoftmaxRegressionCV(Cs=CS, cv=FOLDS, max_iter=1).fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_verbose_names_fold_and_c(capsys, n_jobs):
    X, y = shuffled(load_wine)
    model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, verbose=True, n_jobs=n_jobs).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 + 9
    assert sum("all rows, C=10: objective" in line for line in lines) == 1
    assert sum("fold 2, C=10: objective" in line for line in lines) == 1
    model.set_params(verbose=2, l1_ratios=[0, 0.5]).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert any("l1_ratio=0, fold 2, C=10, iteration 1" in line for line in lines)
    assert any("l1_ratio=0.5, fold 2, C=10, iteration 1" in line for line in lines)


@pytest.mark.parametrize("refit", [True, False])
def test_l1_ratio_is_chosen_too(refit):
    X, y = shuffled(load_wine)
    X = X / X.std(axis=0)
    ratios = [0.0, 0.5, 1.0]
    grid = {"C": CS, "l1_ratio": ratios}
    search = GridSearchCV(SoftmaxRegression(tol=1e-8), grid, scoring="neg_log_loss", cv=FOLDS)
    search.fit(X, y)
    model = SoftmaxRegressionCV(Cs=CS, l1_ratios=ratios, cv=FOLDS, tol=1e-8, refit=refit).fit(X, y)
    expected = search.cv_results_["mean_test_score"].reshape(3, 3)
    np.testing.assert_allclose(model.mean_scores_, expected.T, rtol=1e-3)
    assert model.coefs_paths_.shape == (3, 3, 3, 3, 14)
    assert model.n_iter_.shape == model.scores_.shape == (3, 3, 3)
    if refit:
        assert search.best_params_ == {"C": model.C_, "l1_ratio": model.l1_ratio_}


def test_the_model_of_all_rows_keeps_its_zeros():
    X, y = shuffled(load_wine)
    X = X / X.std(axis=0)
    model = SoftmaxRegressionCV(Cs=[0.1, 1.0], l1_ratios=[1.0], cv=FOLDS, tol=1e-8).fit(X, y)
    one = SoftmaxRegression(C=model.C_, l1_ratio=1.0, tol=1e-8).fit(X, y)
    np.testing.assert_array_equal(model.coef_ == 0, one.coef_ == 0)
    assert (model.coef_ == 0).sum() > 5


@pytest.mark.parametrize("ratios", [[], [2.0], [-0.1], 0.5, [[0.5]], ["a"], [np.nan]])
def test_refuses_what_is_no_l1_ratio(ratios):
    X, y = shuffled(load_wine)
    with pytest.raises(ValueError, match="l1_ratios"):
        SoftmaxRegressionCV(l1_ratios=ratios).fit(X, y)


def test_a_number_of_cs_begins_where_all_coefficients_are_zero_if_all_penalties_make_zeros():
    X, y = shuffled(load_wine)
    model = SoftmaxRegressionCV(
        Cs=4, l1_ratios=[0.3, 1.0], cv=[(np.arange(150), np.arange(150, 178))]
    )
    model.set_params(refit=False, n_jobs=1).fit(X, y)
    first = softmax_path(X, y, Cs=2, l1_ratio=0.3)
    last = softmax_path(X, y, Cs=2, l1_ratio=1.0)
    assert not first.coefs[0].any()
    assert first.coefs[1].any()
    np.testing.assert_allclose(model.Cs_[[0, -1]], [first.Cs[0], last.Cs[-1]])
    mixed = SoftmaxRegressionCV(Cs=2, l1_ratios=[0.0, 1.0], cv=FOLDS).fit(X[:, :3], y)
    np.testing.assert_allclose(mixed.Cs_, [1e-4, 1e4])
    with pytest.raises(ValueError, match="No feature"):
        model.fit(np.zeros_like(X), y)


def test_a_fold_takes_a_step_of_its_own():
    X, y = shuffled(load_wine)
    model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, tol=0.1).fit(X, y)
    assert (model.n_iter_ > 0).all()
    # else they were the models of all rows, scored on rows that these have seen
    precise = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, tol=1e-8).fit(X, y)
    train = -precise.score(X, y)
    assert -model.mean_scores_.max() > train
    np.testing.assert_allclose(model.scores_, precise.scores_, rtol=0.2)


def test_refuses_l1_ratios_with_what_makes_no_zeros():
    X, y = shuffled(load_wine)
    for params in ({"cv": "loo"}, {"solver": "lbfgs"}, {"Cs": [1.0, np.inf]}):
        with pytest.raises(ValueError, match="l1_ratio"):
            SoftmaxRegressionCV(l1_ratios=[0.5], **params).fit(X, y)


@pytest.mark.parametrize(("shape", "cv"), [((40, 130), 2), ((55, 100), 5)])
def test_folds_may_be_wide_where_all_rows_are_not(shape, cv):
    X = np.random.default_rng(0).normal(size=shape)
    y = np.arange(len(X)) % 3
    model = SoftmaxRegressionCV(Cs=[0.01, 0.1], cv=cv, tol=1e-9).fit(X, y)
    train, _ = next(iter(StratifiedKFold(cv).split(X, y)))
    alone = SoftmaxRegression(C=0.1, tol=1e-9).fit(X[train], y[train])
    np.testing.assert_allclose(
        model.coefs_paths_[0, 0, 1][..., : X.shape[1]],
        alone.coef_,
        atol=1e-3 * abs(alone.coef_).max(),
    )


def test_no_tolerance_scores_the_model_of_all_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 3))
    y = (X[:, 0] + rng.logistic(size=3000) > 0).astype(int)
    model = SoftmaxRegressionCV(Cs=[1.0, 10.0], cv=5, tol=0.03).fit(X, y)
    assert (model.n_iter_ > 0).all()
    assert (np.ptp(model.coefs_paths_[:, 0, 0], axis=0) > 0).all()


def test_without_refit_a_single_fold_gives_the_model():
    X, y = shuffled(load_wine)
    cv = ShuffleSplit(1, random_state=0)
    refitted, single = (
        SoftmaxRegressionCV(Cs=CS, cv=cv, refit=refit).fit(X, y) for refit in (True, False)
    )
    assert (refitted.coef_ != single.coef_).any()


def test_scores_that_are_not_finite_are_told_of_and_not_chosen():
    X, y = shuffled(load_wine)

    def scoring(model, X, y):
        return np.nan if model.C > 0.5 else 1.0

    with pytest.warns(UserWarning, match=r"3 of 6 scores are not finite; no C"):
        model = SoftmaxRegressionCV(Cs=[0.1, 1.0], cv=3, scoring=scoring).fit(X, y)
    assert model.C_ == 0.1


def test_folds_without_anything_to_fit_or_to_score_are_named():
    X, y = load_breast_cancer(return_X_y=True)
    weight = np.r_[np.zeros(150), np.ones(len(y) - 150)]
    with pytest.raises(
        ValueError, match=r"Fold 0 of cv has 419 rows of positive .* and 0 to score"
    ):
        SoftmaxRegressionCV(Cs=2, cv=KFold(5)).fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match=r"Fold 1 of cv has 2 rows .* and 0 to score"):
        SoftmaxRegressionCV(Cs=2, cv=[([0, 19], [1]), ([0, 19], [])]).fit(X, y)
    nothing = np.r_[np.zeros(300), np.ones(len(y) - 300)]
    folds = [(np.arange(300), np.arange(300, len(y)))]
    with pytest.raises(ValueError, match=r"Fold 0 of cv has 0 rows of positive weight to fit"):
        SoftmaxRegressionCV(Cs=2, cv=folds).fit(X, y, sample_weight=nothing)


def test_without_refit_nothing_is_left_of_an_earlier_one():
    X, y = shuffled(load_wine)
    model = SoftmaxRegressionCV(Cs=CS, cv=3).fit(X, y)
    model.set_params(refit=False).fit(X, y)
    assert not hasattr(model, "objective_")
    assert not hasattr(model, "optimality_gap_")


def test_a_scorer_keeps_what_it_requests():
    X, y = shuffled(load_wine)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
        routed = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, scoring=scorer).fit(
            X, y, sample_weight=weight
        )
    plain = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, scoring="neg_log_loss").fit(
        X, y, sample_weight=weight
    )
    np.testing.assert_allclose(routed.scores_, plain.scores_, rtol=1e-8)


def test_intercepts_of_sparse_paths_sum_to_0():
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = SoftmaxRegressionCV(Cs=[0.1, 1.0], cv=3, l1_ratios=[1.0]).fit(X, y)
    np.testing.assert_allclose(model.coefs_paths_[..., -1].sum(axis=-1), 0, atol=1e-12)


# -- weights of 0, and weights that nobody asked for -----------------------------------------------


def with_rows_of_no_weight(seed=0):
    """Rows; the same with others of weight 0 between them, and the weights of these."""
    X, y = shuffled(load_wine)
    X = StandardScaler().fit_transform(X)
    rng = np.random.default_rng(seed)
    place = np.sort(rng.integers(0, len(y) + 1, 60))
    more_X = np.insert(X, place, 5 * rng.normal(size=(60, X.shape[1])), axis=0)
    more_y = np.insert(y, place, rng.integers(0, 2, 60))  # not in the proportions of the others
    return X, y, more_X, more_y, np.insert(rng.uniform(0.5, 2, len(y)), place, 0.0)


@pytest.mark.parametrize(
    ("cv", "scoring", "class_weight"),
    [
        ("loo", "neg_log_loss", None),
        ("loo", "accuracy", "balanced"),
        (None, "neg_log_loss", "balanced"),
        (3, "accuracy", None),
        (3, "f1_macro", None),
        (3, "roc_auc_ovr", None),
    ],
)
def test_a_weight_of_0_leaves_the_row_out(cv, scoring, class_weight):
    X, y, more_X, more_y, weight = with_rows_of_no_weight()
    model = SoftmaxRegressionCV(
        Cs=np.logspace(-4, 2, 7), cv=cv, scoring=scoring, selection="1se", tol=1e-8
    ).set_params(class_weight=class_weight)
    expected = clone(model).fit(X, y, weight[weight > 0])
    model.fit(more_X, more_y, weight)
    scores = model.scores_[weight > 0] if cv == "loo" else model.scores_
    np.testing.assert_allclose(scores, expected.scores_, rtol=1e-3, atol=1e-8)
    for name in ("mean_scores_", "score_standard_errors_"):
        found = getattr(model, name)
        np.testing.assert_allclose(found, getattr(expected, name), rtol=1e-4, atol=1e-8)
    assert model.C_ == expected.C_
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3, atol=1e-5)


def test_a_splitter_is_given_all_rows_and_none_of_weight_0_is_scored():
    X, y, more_X, more_y, weight = with_rows_of_no_weight()
    counted = np.flatnonzero(weight)
    folds = list(FOLDS.split(X, y))
    others = np.flatnonzero(weight == 0)
    given = [(np.r_[counted[a], others], np.r_[others, counted[b]]) for a, b in folds]
    options = {"Cs": CS, "scoring": "f1_macro", "tol": 1e-9}
    expected = SoftmaxRegressionCV(cv=folds, **options).fit(X, y, weight[counted])
    model = SoftmaxRegressionCV(cv=given, **options).fit(more_X, more_y, weight)
    np.testing.assert_allclose(model.scores_, expected.scores_, rtol=1e-3)
    seen = []

    class Splitter(KFold):
        def split(self, X, y, groups=None):
            seen.append(len(X))
            return super().split(X, y)

    SoftmaxRegressionCV(cv=Splitter(3), **options).fit(more_X, more_y, weight)
    assert seen == [len(more_y)]


def test_class_weights_of_0_leave_no_row_unscored():
    X, y = shuffled(load_wine)
    class_weight = {0: 0.0, 1: 1.0, 2: 1.0}
    _, scores = search(X, y, class_weight=class_weight, scoring="accuracy")
    model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, class_weight=class_weight, scoring="accuracy")
    np.testing.assert_allclose(model.fit(X, y).scores_[:, 0], scores)


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_balanced_weights_do_not_count_a_class_of_no_weight(soft):
    X, y = shuffled(load_iris)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    model = SoftmaxRegression(class_weight="balanced", tol=1e-10)
    expected = clone(model).fit(X, np.eye(3)[y] if soft else y, weight).predict_proba(X)
    more_y = np.append(y, [3] * 20)
    model.fit(
        np.r_[X, X[:20]], np.eye(4)[more_y] if soft else more_y, np.append(weight, np.zeros(20))
    )
    np.testing.assert_allclose(model.predict_proba(X)[:, :3], expected, atol=1e-4)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy", "roc_auc_ovr"])
@pytest.mark.parametrize("cv", [FOLDS, "loo"], ids=["folds", "loo"])
def test_a_single_weight_is_that_of_all_rows(cv, scoring):
    if cv == "loo" and scoring == "roc_auc_ovr":
        pytest.skip("it scores no single rows")
    X, y = shuffled(load_wine)
    model = SoftmaxRegressionCV(Cs=CS, cv=cv, scoring=scoring, tol=1e-9)
    one, each = clone(model).fit(X, y, 2.0), clone(model).fit(X, y, np.full(len(y), 2.0))
    np.testing.assert_array_equal(one.mean_scores_, each.mean_scores_)


def plain_scorer(model, X, y):
    return 0.5


def weighted_scorer(model, X, y, sample_weight=None):
    return 1.0 if sample_weight is None else 2.0


REQUESTS = {
    "callable": lambda: plain_scorer,
    "declined": lambda: get_scorer("accuracy").set_score_request(sample_weight=False),
    "renamed": lambda: get_scorer("accuracy").set_score_request(sample_weight="weight"),
    "unset": lambda: "accuracy",
    "asked for": lambda: get_scorer("accuracy").set_score_request(sample_weight=True),
}


@pytest.mark.parametrize("name", ["callable", "declined", "renamed", "unset"])
def test_score_refuses_weights_that_the_scorer_did_not_ask_for(name):
    X, y = shuffled(load_wine)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        scoring = REQUESTS[name]()
        model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, scoring=scoring).fit(X, y)
        with pytest.raises((TypeError, ValueError), match="sample_weight") as error:
            model.score(X, y, sample_weight=weight)
        if "use_legacy_attributes" not in LogisticRegressionCV._parameter_constraints:
            return  # an earlier scikit-learn, which dropped them
        peer = LogisticRegressionCV(
            Cs=CS,
            cv=FOLDS,
            scoring=scoring,
            solver="newton-cholesky",
            l1_ratios=(0.0,),
            use_legacy_attributes=False,
        ).fit(X, y)
        with pytest.raises(error.type, match="sample_weight"):
            peer.score(X, y, sample_weight=weight)


@pytest.mark.parametrize(("name", "given"), [("asked for", "sample_weight"), ("renamed", "weight")])
def test_score_passes_on_weights_that_the_scorer_asks_for(name, given):
    X, y = shuffled(load_wine)
    X = X[:, :2]  # too few to be right about every row
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, scoring=REQUESTS[name]()).fit(X, y)
        score = model.score(X, y, **{given: weight})
    assert score == pytest.approx(accuracy_score(y, model.predict(X), sample_weight=weight))
    assert score != model.score(X, y)


def test_without_routing_weights_go_to_the_scorer_as_scikit_learn_has_it():
    X, y = shuffled(load_wine)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, scoring=weighted_scorer).fit(X, y)
    assert model.score(X, y) == 1.0
    assert model.score(X, y, sample_weight=weight) == 2.0
    with pytest.raises(TypeError, match="unexpected keyword argument 'sample_weight'"):
        model.set_params(scoring=plain_scorer).score(X, y, sample_weight=weight)
    with pytest.raises(TypeError, match="unexpected keyword argument 'sample_weight'"):
        model.fit(X, y, weight)


# -- scorers and labels that seem odd --------------------------------------------------------------


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_absolute_error"])
def test_scorers_of_regression_take_labels_for_numbers_as_in_a_grid_search(scoring):
    X, y = shuffled(load_wine)
    _, scores = search(X, y, scoring)
    model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, scoring=scoring, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(model.scores_[:, 0], scores, rtol=1e-6)
    with pytest.raises(ValueError, match="could not convert string to float"):
        model.fit(X, np.array(["a", "b", "c"])[y])


@pytest.mark.parametrize("scoring", [None, "accuracy"])
def test_accuracy_counts_labels_never_seen_as_wrong(scoring):
    X, y = shuffled(load_wine)
    model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS, scoring=scoring).fit(X, y)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y)) - 0.8
    for labels in (y, y + 1):
        right = model.predict(X) == labels
        assert model.score(X, labels) == right.mean()
        assert model.score(X, labels, weight) == pytest.approx(weight @ right / weight.sum())
    soft = 0.7 * np.eye(3)[y] + 0.1
    expected = soft[np.arange(len(y)), model.predict(X)]
    assert model.score(X, soft) == pytest.approx(expected.mean())


def test_log_loss_of_a_label_never_seen_is_refused():
    X, y = shuffled(load_wine)
    model = SoftmaxRegressionCV(Cs=CS, cv=FOLDS).fit(X, y)
    with pytest.raises(ValueError, match=r"classes that .* does not know: \[3\].*fit rows of all"):
        model.score(X, y + 1)
    with pytest.raises(ValueError, match="Negative values in sample_weight"):
        model.score(X, y, np.where(y == 0, -1.0, 1.0))
