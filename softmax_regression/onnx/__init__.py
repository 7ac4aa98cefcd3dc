"""Estimators of this package as ONNX, by skl2onnx.

After `register_converters`, skl2onnx converts pipelines that end in them or contain them, as it
does those of scikit-learn. It comes with the extra `onnx`: ``pip install
"softmax-regression[onnx]"``.
"""

from softmax_regression.onnx._register import register_converters

__all__ = ["register_converters"]
