"""scikit-learn's own tests pass with the estimators in the place of its own."""

import json
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from benchmarks import compatibility, in_place, stand_ins
from benchmarks.compatibility import FAILED, MODULES, NOT_APPLICABLE, PASSED, Result
from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV

of_this_version = pytest.mark.skipif(
    not sklearn.__version__.startswith(f"{compatibility.VERSION}."),
    reason=f"which tests apply is known for scikit-learn {compatibility.VERSION}",
)


@of_this_version
@pytest.mark.parametrize("module", MODULES[:2])
def test_no_test_of_what_we_stand_in_for_fails(module):
    results = compatibility.results_of(module)
    assert [result for result in results if result.outcome == FAILED] == []
    outcomes = [result.outcome for result in results]
    assert outcomes.count(PASSED) > outcomes.count(NOT_APPLICABLE) > 0


# -- stand-ins -------------------------------------------------------------------------------------


def test_parameters_of_scikit_learn_are_translated():
    model = stand_ins.LogisticRegression(
        solver="saga", penalty="l1", C=2.0, tol=1e-3, dual=False, intercept_scaling=1, n_jobs=2
    )
    assert isinstance(model, SoftmaxRegression)
    ours = SoftmaxRegression(C=2.0, l1_ratio=1.0, tol=1e-12)
    assert model.get_params() == ours.get_params()
    assert np.isinf(stand_ins.LogisticRegression(penalty=None).C)
    validated = stand_ins.LogisticRegressionCV(
        Cs=3, solver="liblinear", random_state=0, use_legacy_attributes=False, n_jobs=2
    )
    assert isinstance(validated, SoftmaxRegressionCV)
    assert validated.get_params() == SoftmaxRegressionCV(Cs=3, n_jobs=2).get_params()
    network = stand_ins.MLPClassifier((3,), alpha=0.1)
    assert isinstance(network, SmallMLP)
    assert network.get_params() == SmallMLP((3,), alpha=0.1).get_params()


@pytest.mark.parametrize("tol", [1e-6, 1e-2, 1e-8])
def test_stand_ins_are_cloned_and_set_as_what_they_stand_in_for(tol):
    model = stand_ins.LogisticRegression(solver="sag", tol=tol)
    for copy in (clone(model), pickle.loads(pickle.dumps(model))):
        assert type(copy) is stand_ins.LogisticRegression
        assert copy.get_params() == model.get_params()
    assert model.set_params(solver="saga", n_jobs=1).solver == "auto"
    X, y = np.arange(20.0)[:, None], np.arange(20) % 2
    search = GridSearchCV(model, {"solver": ["saga", "lbfgs"]}, cv=2).fit(X, y)
    assert isinstance(search.best_estimator_, stand_ins.LogisticRegression)


def test_stand_ins_are_found_for_a_while():
    before = sklearn.linear_model.LogisticRegression
    with stand_ins.in_place():
        from sklearn.linear_model import LogisticRegression
        from sklearn.neural_network import MLPClassifier

        assert LogisticRegression is stand_ins.LogisticRegression
        assert MLPClassifier is stand_ins.MLPClassifier
    assert sklearn.linear_model.LogisticRegression is before


def test_fits_are_counted():
    before = stand_ins.fits_so_far()
    stand_ins.LogisticRegression().fit([[0.0], [1.0]], [0, 1]).predict([[0.5]])
    assert stand_ins.fits_so_far() == before + 1


# -- what is kept and told -------------------------------------------------------------------------


def test_messages_may_be_in_our_words_or_in_scikit_learns():
    raises = in_place._in_our_words(pytest.raises)
    theirs = "Found input variables with inconsistent numbers of samples"
    for message in (theirs, "X and y must have the same number of rows, got 3 and 4."):
        with raises(ValueError, match=theirs):
            raise ValueError(message)
    with pytest.raises(AssertionError), raises(ValueError, match=theirs):
        raise ValueError("something else")


def collected(name, identifier=None):
    """What pytest has made of a test."""
    markers = []
    item = SimpleNamespace(originalname=name, markers=markers, add_marker=markers.append)
    if identifier is not None:
        item.callspec = SimpleNamespace(id=identifier)
    return item


def test_what_does_not_apply_is_expected_to_fail(monkeypatch):
    table = {"m.py": {"why": ["test_a", "test_b saga True", "test_gone"]}}
    monkeypatch.setattr(in_place, "TESTS", table)
    plugin = in_place.InPlace("m.py")
    meant = [collected("test_a"), collected("test_a", "1"), collected("test_b", "True-1-saga")]
    others = [collected("test_ab"), collected("test_b", "False-saga"), collected("test_b")]
    plugin.pytest_collection_modifyitems([*meant, *others])
    assert [len(item.markers) for item in [*meant, *others]] == [1, 1, 1, 0, 0, 0]
    for item in meant:
        assert item.markers[0].kwargs == {"reason": "why", "strict": True}
    assert plugin.results == [Result("test_gone", FAILED, "there is no such test")]


def test_only_tests_that_fit_one_of_ours_count_as_passed():
    plugin = in_place.InPlace("m.py")

    def report(outcome, **more):
        failed, passed = outcome == "failed", outcome == "passed"
        told = {"nodeid": "t", "when": "call", "failed": failed, "passed": passed, "longrepr": ""}
        plugin.pytest_runtest_logreport(SimpleNamespace(**told | more))

    plugin.pytest_runtest_setup()
    report("passed")
    assert plugin.results == []
    stand_ins.LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    report("passed", when="setup")
    report("passed")
    report("skipped")
    report("skipped", wasxfail="why")
    report("failed", longrepr="[XPASS(strict)] why")
    assert plugin.results == [
        Result("t", PASSED),
        Result("t", NOT_APPLICABLE, "why"),
        Result("t", FAILED, "[XPASS(strict)] why"),
    ]


def test_results_are_counted_and_explained(monkeypatch, capsys):
    ends = {
        "a.py": [Result("1", PASSED), Result("2", NOT_APPLICABLE, "why")],
        "b.py": [Result("3", NOT_APPLICABLE, "why"), Result("4", FAILED, "for nothing")],
    }
    monkeypatch.setattr(compatibility, "results_of", ends.__getitem__)
    monkeypatch.setattr(compatibility, "_missing", lambda: "")
    records = list(compatibility.run(list(ends)))
    assert json.loads(json.dumps(records)) == records
    out = capsys.readouterr().out
    for row in (
        "| a.py | 1 | 1 | 0 |",
        "| b.py | 0 | 1 | 1 |",
        "| why | 2 |",
        "| 4 | for nothing |",
    ):
        assert row in out


def test_tests_of_another_version_are_not_run(monkeypatch, capsys):
    monkeypatch.setattr(sklearn, "__version__", "1.6.1")
    assert list(compatibility.run(["a.py"])) == []
    assert "it is about scikit-learn 1.9, and 1.6.1 is installed" in capsys.readouterr().err


@of_this_version
def test_tests_are_run_in_a_process_of_its_own():
    results = compatibility.results_of("frozen/tests/test_frozen.py")
    assert {result.outcome for result in results} == {PASSED}
    assert all("test_frozen" in result.test for result in results)
