"""Fitted estimators consist of arrays, numbers, strings, lists and dicts, and nothing else.

So pickles refer to no modules of the package except those of the estimators, and tools that check
the types in a model before they load it know all of them.
"""

import io
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV

X, y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"], dtype=object)
MODELS = [
    *(SoftmaxRegression(solver=s) for s in ("auto", "lbfgs", "newton-cg", "newton-cholesky")),
    SoftmaxRegression(solver="proximal-newton", l1_ratio=0.5),
    SoftmaxRegression(bounds=(0, None)),
    SoftmaxRegression(C=np.inf, bias_reduction="firth"),
    SoftmaxRegression(solver="sgd", max_iter=5, random_state=0),
    SoftmaxRegression(solver="adam", max_iter=5, random_state=0),
    SoftmaxRegression(solver="adam", max_iter=5, warm_start=True),
    *(SmallMLP((5, 3), solver=s, max_iter=5, random_state=0) for s in ("adam", "sgd", "lbfgs")),
    SmallMLP((), max_iter=5, scoring="accuracy", random_state=0),
    SmallMLP((5,), solver="adam", weight_decay=0.1, max_grad_norm=1.0, max_iter=5, random_state=0),
    SmallMLP((5,), solver="sgd", standardize=False, dropout=0.1, max_iter=5, random_state=0),
    SoftmaxRegressionCV(Cs=3, cv=3),
    SoftmaxRegressionCV(Cs=3, cv="loo"),
    SoftmaxRegressionCV(Cs=3, cv=3, l1_ratios=[0.0, 0.5], refit=False),
]
STREAMS = [model for model in MODELS if hasattr(model, "partial_fit")]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def foreign(value, path=""):
    """Where in a value there are objects of other types than Python's and NumPy's own."""
    if type(value).__module__ not in ("builtins", "numpy"):
        return {path: type(value)}
    parts = {}
    if isinstance(value, dict):
        parts = value
    elif isinstance(value, list | tuple):
        parts = dict(enumerate(value))
    elif isinstance(value, np.ndarray) and value.dtype == object:
        parts = dict(enumerate(value.ravel()))
    return {
        place: kind
        for name, part in parts.items()
        for place, kind in foreign(part, f"{path}/{name}").items()
    }


def fitted_state(model):
    return {name: value for name, value in vars(model).items() if name not in model.get_params()}


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_fitted_model_consists_of_arrays_numbers_and_strings(model):
    model = clone(model).fit(X, NAMES[y])
    assert foreign(fitted_state(model)) == {}


@pytest.mark.parametrize("after_fit", [False, True])
@pytest.mark.parametrize("model", STREAMS, ids=str)
def test_so_does_one_of_a_stream(model, after_fit):
    model = clone(model)
    if after_fit:
        model.fit(X, NAMES[y])
    for _ in range(2):
        model.partial_fit(X, NAMES[y], classes=NAMES)
        assert foreign(fitted_state(model)) == {}


class Looking(pickle.Unpickler):
    """Notes which modules of the package a pickle names."""

    def __init__(self, file):
        super().__init__(file)
        self.named = set()

    def find_class(self, module, name):
        if module.startswith("softmax_regression"):
            self.named.add(f"{module}.{name}")
        return super().find_class(module, name)


@pytest.mark.parametrize("model", STREAMS, ids=str)
def test_a_pickle_names_the_estimator_alone(model):
    model = clone(model).fit(X, y).partial_fit(X, y)
    reader = Looking(io.BytesIO(pickle.dumps(model)))
    np.testing.assert_array_equal(reader.load().predict_proba(X), model.predict_proba(X))
    assert reader.named == {f"{type(model).__module__}.{type(model).__name__}"}


@pytest.mark.parametrize(
    "random_state",
    [0, np.random.RandomState(0), np.random.RandomState(np.random.PCG64(0))],
    ids=["seed", "MT19937", "PCG64"],
)
@pytest.mark.parametrize("model", STREAMS, ids=str)
def test_a_stream_goes_on_as_it_was_after_pickling_and_begins_anew_after_cloning(
    model, random_state
):
    model = clone(model).set_params(random_state=random_state, batch_size=20)
    kept, new = clone(model), clone(model)
    for part in (model, kept):
        part.partial_fit(X, y, classes=[0, 1, 2])
    begun = kept.predict_proba(X)
    for _ in range(3):
        kept = pickle.loads(pickle.dumps(kept))
        np.testing.assert_array_equal(
            kept.partial_fit(X, y).predict_proba(X), model.partial_fit(X, y).predict_proba(X)
        )
    again = clone(new).partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_array_equal(again.predict_proba(X), begun)


def test_a_network_predicts_with_the_activation_it_was_trained_with():
    model = SmallMLP((5,), "tanh", max_iter=5, random_state=0).fit(X, y)
    before = model.predict_proba(X)
    model.set_params(activation="relu")
    np.testing.assert_array_equal(model.predict_proba(X), before)
