"""Registration of the estimators with skl2onnx."""

from __future__ import annotations

from softmax_regression.linear_model import SoftmaxRegression, SoftmaxRegressionCV
from softmax_regression.neural_network import SmallMLP
from softmax_regression.onnx._converter import convert, declare_outputs

_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
}


def register_converters() -> None:
    """Register the estimators of this package with skl2onnx.

    Call it once before ``skl2onnx.to_onnx``, which then converts `SoftmaxRegression`,
    `SoftmaxRegressionCV` and `SmallMLP` with all of its activations, alone and within pipelines.
    Its options ``zipmap``, ``nocl`` and ``output_class_labels`` are those of scikit-learn's
    classifiers. Labels must be strings, bools or integers.

    Scores are computed in float64 even if inputs and probabilities are float32, so that features
    whose mean is large relative to their standard deviation lose no precision. The exception is
    'gelu', because ONNX Runtime implements the error function in float32 only. Probabilities are
    dictionaries of float32 numbers with ``zipmap=True``, the default of skl2onnx, and an array of
    the dtype of the inputs with ``zipmap=False``.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    See Also
    --------
    softmax_regression.SoftmaxRegression.to_sklearn : The same model in scikit-learn.

    Examples
    --------
    ::

        from skl2onnx import to_onnx
        from softmax_regression.onnx import register_converters

        register_converters()
        model = make_pipeline(StandardScaler(), SmallMLP(activation="silu")).fit(X, y)
        onnx = to_onnx(model, X[:1].astype("float32"), options={"zipmap": False})
        Path("model.onnx").write_bytes(onnx.SerializeToString())
    """
    try:
        from skl2onnx import update_registered_converter
    except ImportError as error:
        raise ImportError("ONNX needs skl2onnx: pip install 'softmax-regression[onnx]'.") from error
    for estimator in (SoftmaxRegression, SoftmaxRegressionCV, SmallMLP):
        update_registered_converter(
            estimator,
            f"SoftmaxRegression{estimator.__name__}",
            declare_outputs,
            convert,
            options=_OPTIONS,
        )
