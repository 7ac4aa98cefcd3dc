"""Displays that draw what was fitted, in scikit-learn's Display convention."""

from softmax_regression.inspection._displays import (
    CrossValidationDisplay,
    RegularizationPathDisplay,
)

__all__ = ["CrossValidationDisplay", "RegularizationPathDisplay"]
