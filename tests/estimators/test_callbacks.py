"""scikit-learn's callbacks on the estimators: what they are told, and when."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV

callback = pytest.importorskip("sklearn.callback", reason="callbacks came with scikit-learn 1.9")

X, y = load_iris(return_X_y=True)
MODELS = {
    f"{type(model).__name__}-{model.solver}-{getattr(model, 'early_stopping', '')}": model
    for model in [
        *(SoftmaxRegression(solver=s) for s in ("auto", "lbfgs", "newton-cg", "newton-cholesky")),
        SoftmaxRegression(solver="proximal-newton", l1_ratio=0.5),
        *(SoftmaxRegression(solver=s, random_state=0, tol=1e-2) for s in ("sgd", "adam")),
        *(SmallMLP((5,), solver=s, max_iter=30, random_state=0) for s in ("adam", "sgd", "lbfgs")),
        SmallMLP((5,), solver="adam", max_iter=9, early_stopping=True, random_state=0),
        SmallMLP((5,), solver="adam", max_iter=9, early_stopping=False, random_state=0),
    ]
}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Recorder:
    """Keeps what it is told; may stop the fit after some tasks."""

    def __init__(self, stop_after=np.inf):
        self.stop_after = stop_after
        self.events = []
        self.begun = []  # estimators, as each task with one began
        self.ended = []  # and as it ended

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, fitted_estimator):
        self.events.append(("begin", context.task_name))
        if fitted_estimator is not None:
            self.begun.append(fitted_estimator)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        self.events.append(("end", context.task_name))
        if fitted_estimator is not None:
            self.ended.append(fitted_estimator)
        return len(self.ended) >= self.stop_after


def probabilities(models):
    return np.stack([model.predict_proba(X) for model in models])


@every_model
def test_a_fit_is_a_task_with_a_task_for_each_iteration(model):
    recorder = Recorder()
    model = clone(model).set_callbacks(recorder).fit(X, y)
    events = recorder.events
    assert events[:2] == ["setup", ("begin", "fit")]
    assert events[-2:] == [("end", "fit"), "teardown"]
    inner = events[2:-2]
    name = inner[0][1]
    assert name in ("iteration", "epoch")
    assert inner == len(inner) // 2 * [("begin", name), ("end", name)]
    assert len(inner) >= 2 * int(np.max(model.n_iter_))
    np.testing.assert_array_equal(probabilities(recorder.ended)[-1], model.predict_proba(X))
    assert not hasattr(model, "_callback_fit_ctx")


@every_model
def test_each_iteration_begins_with_the_model_that_the_last_has_left(model):
    recorder = Recorder()
    model = clone(model).set_params(warm_start=True).fit(X, y)
    before = model.predict_proba(X)
    model.set_callbacks(recorder).set_params(tol=0.0, max_iter=4).fit(X, y)
    begun, ended = probabilities(recorder.begun), probabilities(recorder.ended)
    np.testing.assert_allclose(begun[0], before, atol=1e-5)
    n_iterations = len(ended) - 1  # the last is the fit itself
    assert n_iterations == int(np.max(model.n_iter_))
    np.testing.assert_array_equal(begun[1:n_iterations], ended[: n_iterations - 1])


@every_model
def test_an_iteration_begins_before_its_work(model, capsys):
    class Printing(Recorder):
        def on_fit_task_begin(self, estimator, context):
            print("begin", context.task_name)

        def on_fit_task_end(self, estimator, context):
            print("end", context.task_name)

    clone(model).set_params(verbose=1).set_callbacks(Printing()).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    reports = [at for at, line in enumerate(lines) if line.startswith(type(model).__name__)]
    assert reports
    for at in reports:
        assert lines[at - 1] in ("begin iteration", "begin epoch")
        assert lines[at + 1] in ("end iteration", "end epoch")


class Hearing(Recorder):
    """Notes which tasks it is told of, how many there may be in them, and with what."""

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self._note("begin", estimator, context, X, y, metadata, fitted_estimator)

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self._note("end", estimator, context, X, y, metadata, fitted_estimator)

    def _note(self, hook, estimator, context, *given):
        assert estimator.n_features_in_ == 4
        assert estimator.classes_.tolist() == [0, 1, 2]
        level = "fit" if context.parent is None else "iteration"
        self.events.append((hook, level, *(value is not None for value in given)))


def heard(model, **fit_params):
    """What a callback is told, and how often in a row the same."""
    recorder = Hearing()
    model.set_callbacks(recorder).fit(X, y, **fit_params)
    pairs = list(zip(recorder.events[::2], recorder.events[1::2], strict=True))
    return recorder.events[:2], set(pairs[1:-2]), recorder.events[-4:]


@pytest.mark.parametrize("fit_params", [{}, {"sample_weight": np.ones(len(y))}], ids=str)
def test_callbacks_are_told_what_scikit_learns_own_estimator_tells_them(fit_params):
    ours = heard(SoftmaxRegression(solver="lbfgs"), **fit_params)
    assert ours == heard(LogisticRegression(max_iter=1000), **fit_params)


@every_model
@pytest.mark.parametrize("max_iter", [1, 2, 3])
def test_there_are_no_more_iterations_than_callbacks_were_told(model, max_iter):
    class Counting(Recorder):
        def on_fit_task_begin(self, estimator, context):
            if context.parent is None:
                self.most = context.max_subtasks

    recorder = Counting()
    model = clone(model).set_params(max_iter=max_iter, tol=0.0)
    model.set_callbacks(recorder).fit(X, y)
    assert recorder.most == (None if getattr(model, "early_stopping", "") == "auto" else max_iter)


@pytest.mark.parametrize("model", [SoftmaxRegression(), SmallMLP((5,), random_state=0)], ids=str)
def test_a_piece_of_a_stream_is_a_task(model):
    recorder = Recorder()
    model.set_callbacks(recorder).partial_fit(X, y, classes=[0, 1, 2])
    assert recorder.events == ["setup", ("begin", "fit"), ("end", "fit"), "teardown"]
    np.testing.assert_array_equal(probabilities(recorder.ended)[0], model.predict_proba(X))
    with pytest.raises(ValueError, match="infinity"):
        model.partial_fit(np.full_like(X, np.inf), y)
    assert recorder.events[4:] == ["setup", "teardown"]


@every_model
def test_callbacks_change_nothing(model):
    watched = clone(model).set_callbacks(Recorder()).fit(X, y)
    np.testing.assert_array_equal(watched.predict_proba(X), clone(model).fit(X, y).predict_proba(X))


@every_model
def test_a_callback_may_end_the_fit(model):
    recorder = Recorder(stop_after=2)
    model = clone(model).set_callbacks(recorder).fit(X, y)
    assert model.n_iter_ <= 2
    assert recorder.events[-1] == "teardown"


@every_model
def test_a_fit_that_fails_is_torn_down_and_changes_nothing(model):
    model = clone(model).fit(X, y)
    recorder = Recorder()
    model.set_callbacks(recorder)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="infinity"):
        model.fit(np.where(X > 7, np.inf, X), y)
    assert recorder.events[-1] == "teardown"
    np.testing.assert_array_equal(model.predict_proba(X), before)


@every_model
def test_a_scoring_monitor_sees_every_iteration(model):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = clone(model).set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs().data_as_pandas
    log = log() if callable(log) else log
    assert len(log) >= int(np.max(model.n_iter_))


@pytest.mark.parametrize("model", [SoftmaxRegression(), SmallMLP((5,), max_iter=5)])
def test_they_reach_through_pipelines_and_searches(model):
    name = type(model).__name__.lower()
    pipeline = make_pipeline(StandardScaler(), clone(model).set_callbacks(Recorder()))
    pipeline.fit(X, y)
    assert pipeline[-1]._skl_callbacks[0].events[-1] == "teardown"
    values = {f"{name}__tol": [1e-3, 1e-6]}
    pytest.importorskip("rich", reason="the progress bar is drawn with it")
    search = GridSearchCV(make_pipeline(StandardScaler(), model), values, cv=2)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    assert search.best_score_ > 0.8


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    ("params", "tasks"),
    [
        ({"cv": 3}, {"path": 1, "fold": 3, "C": 8}),
        ({"cv": 3, "l1_ratios": [0.0, 0.5]}, {"path": 2, "fold": 6, "C": 15}),  # 0.5 is chosen
        ({"cv": 3, "l1_ratios": [1.0]}, {"fold": 3, "path": 1, "C": 7}),  # the refit alone
        ({"cv": "loo"}, {"path": 1, "C": 2}),
    ],
    ids=["folds", "ratios", "lasso", "loo"],
)
def test_a_search_is_a_task_with_a_task_for_each_path_and_in_that_for_each_c(params, tasks, n_jobs):
    recorder = Recorder(stop_after=1)  # which it is not: all folds are needed
    search = SoftmaxRegressionCV(Cs=[0.1, 1.0], n_jobs=n_jobs, **params)
    watched = clone(search).set_callbacks(recorder).fit(X, y)
    events = recorder.events
    assert events[:2] == ["setup", ("begin", "fit")]
    assert events[-2:] == [("end", "fit"), "teardown"]
    for name, n in tasks.items():
        assert events.count(("begin", name)) == events.count(("end", name)) == n
    assert recorder.ended[-1].score(X, y) == watched.score(X, y)
    assert np.isfinite(probabilities(recorder.ended)).all()
    paths = tasks["path"] + tasks.get("fold", 0)  # a path begins with no model, nor does its first
    assert len(recorder.begun) == tasks["C"] - paths
    search.fit(X, y)
    np.testing.assert_array_equal(watched.coef_, search.coef_)
    np.testing.assert_array_equal(watched.scores_, search.scores_)


def test_a_search_that_fails_is_torn_down_and_changes_nothing():
    recorder = Recorder()
    search = SoftmaxRegressionCV(Cs=[0.1, 1.0], cv=3).fit(X, y)
    before = search.predict_proba(X)
    search.set_callbacks(recorder)
    with pytest.raises(ValueError, match="only one class"):
        search.set_params(cv=[(np.flatnonzero(y == 1), np.flatnonzero(y == 2))]).fit(X, y)
    assert recorder.events[-1] == "teardown"
    np.testing.assert_array_equal(search.predict_proba(X), before)
