"""Conversion of the estimators to ONNX by skl2onnx.

After a call of `register_converters`, skl2onnx converts the estimators of this package, alone or in
pipelines, as it converts those of scikit-learn. The extra `onnx` installs it: ``pip install
"softmax-regression[onnx]"``.
"""

from softmax_regression.onnx._register import register_converters

__all__ = ["register_converters"]
