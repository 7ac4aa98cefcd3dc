"""The memory layout of X does not change the model, and X is not changed."""

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV, softmax_path

SHAPE = 160, 6


def rounded(seed=0):
    """Draw numbers that float32 holds exactly; half of them 0, and a column of whole numbers."""
    rng = np.random.default_rng(seed)
    X = np.where(rng.random(SHAPE) < 0.5, 0, rng.normal(size=SHAPE) * np.logspace(-1, 1, 6))
    X[:, 0] = np.rint(X[:, 0] * 20)
    return X.astype(np.float32).astype(np.float64)


X = rounded()
RNG = np.random.default_rng(1)
LABELS = (X[:, 1:4] / X[:, 1:4].std(axis=0) + 0.8 * RNG.normal(size=(len(X), 3))).argmax(axis=1)
PROBABILITIES = RNG.dirichlet(np.ones(3), size=len(X))


def mixed(X):
    """A DataFrame whose columns have different dtypes."""
    dtypes = ["int64", "float32", "float64", "float32", "float64", "Float64"]
    columns = zip("abcdef", X.T, dtypes, strict=True)
    return pd.DataFrame({name: pd.Series(x).astype(dtype) for name, x, dtype in columns})


def wide(X):
    """Every second column of an array whose other columns are NaN."""
    other = np.full((len(X), 2 * X.shape[1]), np.nan)
    other[:, ::2] = X
    return other[:, ::2]


def read_only(X):
    copy = X.copy()
    copy.flags.writeable = False
    return copy


def unsorted_csr(X):
    """CSR with the entries of each row in reverse order."""
    matrix = sparse.csr_array(X)
    for a, b in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        matrix.data[a:b] = matrix.data[a:b][::-1].copy()
        matrix.indices[a:b] = matrix.indices[a:b][::-1].copy()
    matrix.has_sorted_indices = False
    return matrix


def of_file(X, folder):
    values = np.memmap(folder / "X", dtype=X.dtype, mode="w+", shape=X.shape)
    values[...] = X
    values.flush()
    return np.memmap(folder / "X", dtype=X.dtype, mode="r", shape=X.shape)


DENSE = {
    "F": np.asfortranarray,
    "DataFrame": lambda X: pd.DataFrame(X, columns=list("abcdef")),
    "DataFrame of columns": lambda X: pd.DataFrame(dict(zip("abcdef", X.T, strict=True))),
    "mixed DataFrame": mixed,
    "list": lambda X: X.tolist(),
    "columns apart": wide,
    "rows apart": lambda X: np.repeat(X, 2, axis=0)[::2],
    "rows reversed": lambda X: X[::-1].copy()[::-1],
    "columns reversed": lambda X: X[:, ::-1].copy()[:, ::-1],
    "transposed, apart": lambda X: np.repeat(X.T, 2, axis=1)[:, ::2].T,
    "other byte order": lambda X: X.astype(">f8"),
    "read-only": read_only,
    "file": of_file,
}
SINGLE = {
    "F": np.asfortranarray,
    "DataFrame": lambda X: pd.DataFrame(X, columns=list("abcdef")),
    "columns apart": lambda X: wide(X).astype(np.float32, order="K"),
    "read-only": read_only,
}
SPARSE = {
    "csc": sparse.csc_array,
    "coo": sparse.coo_array,
    "csr, unsorted": unsorted_csr,
    "csr_matrix": sparse.csr_matrix,
    "int64 indices": lambda X: with_long_indices(sparse.csr_array(X)),
}


def with_long_indices(matrix):
    matrix.indices = matrix.indices.astype(np.int64)
    matrix.indptr = matrix.indptr.astype(np.int64)
    return matrix


def linear(**params):
    def fit(X, y=LABELS):
        model = SoftmaxRegression(**{"tol": 1e-10} | params).fit(X, y)
        return [model.coef_, model.intercept_, model.predict_proba(X)]

    return fit


def soft(X):
    return linear()(X, PROBABILITIES)


def chosen(X):
    model = SoftmaxRegressionCV(Cs=[0.1, 10.0], cv=3, tol=1e-10).fit(X, LABELS)
    return [model.coef_, model.intercept_, model.mean_scores_, model.predict_proba(X)]


def left_out(X):
    model = SoftmaxRegressionCV(Cs=[0.1, 10.0], cv="loo", tol=1e-10).fit(X, LABELS)
    return [model.coef_, model.mean_scores_]


def path(**params):
    return lambda X: [softmax_path(X, LABELS, Cs=[0.1, 1.0], tol=1e-10, **params).coefs]


def network(y=LABELS, **params):
    def fit(X):
        model = SmallMLP((5,), random_state=0, **{"max_iter": 5} | params).fit(X, y)
        return [*model.coefs_, *model.intercepts_, model.predict_proba(X)]

    return fit


def stream(model):
    def fit(X):
        streaming = model(random_state=0)
        for y in (LABELS, LABELS[::-1]):
            streaming.partial_fit(X, y, classes=[0, 1, 2])
        return [streaming.predict_proba(X)]

    return fit


FITS = {
    "auto": linear(),
    "newton-cholesky": linear(solver="newton-cholesky"),
    "newton-cg": linear(solver="newton-cg"),
    "lbfgs": linear(solver="lbfgs"),
    "sgd": linear(solver="sgd", max_iter=5, random_state=0),
    "adam": linear(solver="adam", max_iter=5, random_state=0),
    "elastic net": linear(l1_ratio=0.5),
    "lasso": linear(l1_ratio=1.0, solver="proximal-newton"),
    "group lasso": linear(l1_ratio=1.0, penalty_grouping="features"),
    "bounds, newton-cholesky": linear(bounds=(0, None), solver="newton-cholesky"),
    "bounds, lbfgs": linear(bounds=(-1, 1), solver="lbfgs"),
    "no penalty": linear(C=np.inf),
    "bias reduction": linear(C=np.inf, bias_reduction="firth"),
    "soft labels": soft,
    "cross-validation": chosen,
    "leave-one-out": left_out,
    "path": path(),
    "sparse path": path(l1_ratio=0.5),
    "network": network(),
    "network, lbfgs": network(solver="lbfgs"),
    "network, as it is": network(standardize=False, dtype="float64"),
    "network, soft labels": network(PROBABILITIES),
    "stream": stream(SoftmaxRegression),
    "network stream": stream(SmallMLP),
}
every_fit = pytest.mark.parametrize("fit", FITS)


def results(fit, values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return FITS[fit](values)


def check_same(fit, values, expected, rtol):
    """Fit, and check both the result and that what was fitted is as it was."""
    before = values.copy() if hasattr(values, "copy") else None
    for found, same in zip(results(fit, values), expected, strict=True):
        assert found.dtype == same.dtype
        assert_allclose(found, same, rtol=rtol, atol=rtol)
    if sparse.issparse(values):
        for part in ("data", "indices", "indptr") if values.format != "coo" else ("data", "coords"):
            assert_array_equal(getattr(values, part), getattr(before, part))
    elif isinstance(values, pd.DataFrame):
        pd.testing.assert_frame_equal(values, before)
    elif before is not None:
        assert_array_equal(values, before)


@every_fit
def test_dense_layouts_give_the_same_model(fit, tmp_path):
    expected = results(fit, X)
    for name, lay_out in DENSE.items():
        values = of_file(X, tmp_path) if name == "file" else lay_out(X)
        check_same(fit, values, expected, 1e-6)


@every_fit
def test_single_precision_layouts_give_the_same_model(fit):
    single = X.astype(np.float32)
    expected = results(fit, single)
    for lay_out in SINGLE.values():
        check_same(fit, lay_out(single), expected, 2e-3)


@every_fit
def test_sparse_layouts_give_the_same_model(fit):
    expected = results(fit, sparse.csr_array(X))
    for lay_out in SPARSE.values():
        check_same(fit, lay_out(X), expected, 1e-6)


@pytest.mark.parametrize("fit", ["auto", "lasso", "no penalty", "soft labels", "path"])
def test_sparse_values_give_the_model_of_dense_ones(fit):
    check_same(fit, sparse.csr_array(X), results(fit, X), 1e-5)


# -- what is copied --------------------------------------------------------------------------------

TALL = np.random.default_rng(2).normal(size=(20_000, 40))
OF_TALL = (TALL[:, 0] > 0).astype(int)


def peak(call, *arguments):
    """Return how much memory a call takes at its peak, beside what there was before."""
    tracemalloc.start()
    try:
        call(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def train(X, solver="sgd"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        SoftmaxRegression(solver=solver, max_iter=2, random_state=0).fit(X, OF_TALL)


def take_in(X):
    SoftmaxRegression(random_state=0).partial_fit(X, OF_TALL, classes=[0, 1])


def of_network(X):
    model = SmallMLP((2,), standardize=False, dtype="float64", numeric_encoding="linear")
    model.partial_fit(X, OF_TALL, classes=[0, 1])


@pytest.mark.parametrize("call", [train, take_in, of_network])
def test_minibatches_copy_rows_in_other_orders_once_and_others_never(call):
    without = peak(call, TALL)
    assert without < 0.9 * TALL.nbytes
    for lay_out in (np.asfortranarray, wide, lambda X: X[::-1]):
        assert peak(call, lay_out(TALL)) < without + 1.1 * TALL.nbytes


@pytest.mark.parametrize("solver", ["newton-cholesky", "newton-cg", "lbfgs"])
def test_full_batches_copy_no_array_that_blas_reads(solver):
    without = peak(train, TALL, solver)
    for lay_out in (np.asfortranarray, lambda X: np.repeat(X, 2, axis=0)[::2]):
        assert peak(train, lay_out(TALL), solver) < without + 0.2 * TALL.nbytes
    assert peak(train, wide(TALL), solver) < without + 1.1 * TALL.nbytes
