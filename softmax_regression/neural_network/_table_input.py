"""The input of `SmallMLP`: arrays of numbers, or tables with categories and missing values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils.validation import check_array, validate_data

from softmax_regression._data.dense import DenseDesign
from softmax_regression._data.design import Design
from softmax_regression._data.table_encoding import TableEncoding
from softmax_regression._estimators.classifier import BaseSoftmaxClassifier
from softmax_regression._estimators.export import Layers
from softmax_regression._estimators.features import validated
from softmax_regression._estimators.prediction import is_plain
from softmax_regression._estimators.state import state_of
from softmax_regression._estimators.tables import Levels, as_numbers, learn_levels
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets

MANY_ROWS = 1_200  # With fewer rows, piecewise linear functions mostly fit noise.
_MAX_PIECEWISE_FEATURES = 60  # With more features, as in images, linear features do better.
_DEFAULT_BINS = 16


class TableInput(BaseSoftmaxClassifier):
    """A classifier whose X may have categories and missing values."""

    # The estimator defines these attributes.
    numeric_encoding: str | int
    categorical_features: Any
    warm_start: bool

    coefs_: list[Array]
    intercepts_: list[Array]
    _activation: str
    _n_members: int
    _levels: Levels | None
    _encoding: dict[str, Any] | None
    _fills: Array | None

    def feature_tables(self) -> dict[Any, pd.DataFrame]:
        """Return the contribution of each feature to the units of the first hidden layer.

        Without hidden layers the units are the scores of the classes.

        Returns
        -------
        dict
            A DataFrame for each feature, by its name, or its position if it has none. It has a
            column for each unit, member after member. The rows are the contributions of a
            categorical feature at each level, or of a numeric feature at each point, with linear
            interpolation between points. A feature that is linear has two points, which determine
            its line everywhere. The last row, at None or NaN, is the contribution of a missing
            value. All contributions are relative to the intercepts.
        """
        self._check_parts()
        weights = np.asarray(self.coefs_[0])
        weights = weights.reshape(len(weights), -1)
        names = getattr(self, "feature_names_in_", np.arange(self.n_features_in_)).tolist()
        encoding = self._known_encoding()
        if encoding is None:
            fills = np.zeros(len(names)) if self._fills is None else self._fills
            pairs = zip(weights, fills, strict=True)
            tables = [([0.0, 1.0, np.nan], np.array([0 * w, w, mean * w])) for w, mean in pairs]
        else:
            levels = self._levels or len(names) * [None]
            tables = [encoding.table(j, weights, levels[j]) for j in range(len(names))]
        return {
            name: pd.DataFrame(table, index=_index(index, name))
            for name, (index, table) in zip(names, tables, strict=True)
        }

    def _validate_rows(self, X: Any, *, reset: bool) -> Design:
        """Return X as an array of numbers, with NaN for missing values if they are allowed."""
        # A warm start uses the levels of the last fit.
        anew = reset and not (self.warm_start and self._has_model())
        if self.categorical_features is None or issparse(X):
            if anew:
                self._levels = self._fills = None
            return super()._validate_rows(X, reset=reset)
        if anew:
            self._levels = learn_levels(X, self.categorical_features)
        if self._levels is None and is_plain(X):
            return super()._validate_rows(X, reset=reset)
        values = self._numbers(X, reset)
        if not anew and self._encoding is None and self._fills is not None:
            absent = np.isnan(values)
            if absent.any():
                values = np.where(absent, self._fills.astype(values.dtype), values)
        return DenseDesign(values)

    def _numbers(self, X: Any, reset: bool) -> Array:
        """Return X as an array of finite numbers and NaN."""
        options: dict[str, Any] = {
            "dtype": [np.float64, np.float32],
            "ensure_all_finite": "allow-nan",
        }

        if self._levels is not None:
            # An error for columns in another order comes before those for their values.
            validate_data(self, X, reset=reset, skip_check_array=True)
            return np.asarray(check_array(as_numbers(X, self._levels), estimator=self, **options))
        with np.errstate(invalid="ignore"):  # scikit-learn sums all values, which may overflow.
            return np.asarray(
                validated(X, lambda X: validate_data(self, X, reset=reset, **options))
            )

    def _arrays(self) -> tuple[Sequence[Array], Sequence[Array]]:
        return self.coefs_, self.intercepts_

    def _layers(self) -> Layers:
        """Return the layers in a form that other libraries can represent.

        This raises an error for encoded features, and for several members.
        """
        if self._n_members > 1:
            raise ValueError(
                f"This SmallMLP is {self._n_members} networks whose probabilities are averaged, "
                "which no other library holds as one: fit one with n_members=1."
            )
        if self._encoding is not None:
            raise ValueError(
                "This SmallMLP encodes the features of its table, numbers or categories, which "
                "no other library has: fit one with numeric_encoding='linear' on numbers alone, "
                "categories one-hot encoded."
            )
        weights, intercepts = (
            [*map(np.asarray, arrays)] for arrays in (self.coefs_, self.intercepts_)
        )
        return Layers(weights, intercepts, self._activation)

    def _learn_encoding(self, design: Design, targets: Targets) -> None:
        """Choose the encoding of features, or the values of missing numbers without encoding."""
        self._fills = None
        weights = targets.row_weights()
        encoding = self._choose_encoding(design, weights)
        self._encoding = None if encoding is None else state_of(vars(encoding))
        if encoding is None and isinstance(design, DenseDesign):
            self._fills = (weights / weights.sum()).astype(design.X.dtype) @ design.X

    def _choose_encoding(self, design: Design, weights: Array) -> TableEncoding | None:
        if not isinstance(design, DenseDesign):
            if self.numeric_encoding in ("auto", "linear"):
                return None
            raise ValueError(
                f"numeric_encoding={self.numeric_encoding!r} needs dense X, as it has codes for "
                "zeros too: set numeric_encoding='auto' or 'linear', or X to X.toarray()."
            )
        n_features = design.n_columns
        categorical = np.zeros(n_features, dtype=bool)
        if self._levels is not None:
            categorical[:] = [levels is not None for levels in self._levels]
        most_bins = self._most_bins(int(np.count_nonzero(weights)), n_features)
        if most_bins == 0 and not categorical.any() and not np.isnan(design.X).any():
            return None
        return TableEncoding.learn(design.X, weights, categorical, n_features * [most_bins])

    def _most_bins(self, n_rows: int, n_features: int) -> int:
        """Return the largest number of bins of a numeric feature, or 0 for a linear feature."""
        if self.numeric_encoding == "linear":
            return 0
        if self.numeric_encoding == "auto":
            many = n_rows >= MANY_ROWS and n_features <= _MAX_PIECEWISE_FEATURES
            return _DEFAULT_BINS if many else 0
        return (
            _DEFAULT_BINS if isinstance(self.numeric_encoding, str) else int(self.numeric_encoding)
        )

    def _n_inputs(self, n_features: int) -> int:
        """Return the number of inputs of the first layer."""
        return n_features if self._encoding is None else int(self._encoding["n_states"])

    def _known_encoding(self) -> TableEncoding | None:
        """Return the encoding of the features, or None if they are not encoded."""
        if self._encoding is None:
            return None
        encoding = object.__new__(TableEncoding)
        vars(encoding).update(self._encoding)
        return encoding

    def _scores_of_table(self, scores: Callable[[Any], Array]) -> Callable[[Design], Array]:
        """Return the function from rows of X to scores, from that of inputs of the first layer."""
        encoding = self._known_encoding()
        if encoding is None:
            return scores
        return lambda block: scores(encoding.looked_up(block.dense(), block.dtype))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.categorical_features is not None
        tags.input_tags.categorical = self.categorical_features is not None
        return tags


def _index(values: list[Any], name: Any) -> pd.Index:
    """Return an index, of dtype object if its last value is None, so that None is kept."""
    return pd.Index(values, name=name, dtype=object if values[-1] is None else np.float64)
