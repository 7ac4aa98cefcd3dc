"""Displays of regularisation paths and of cross-validation, in scikit-learn's convention."""

from softmax_regression.inspection._displays import (
    CrossValidationDisplay,
    RegularizationPathDisplay,
)

__all__ = ["CrossValidationDisplay", "RegularizationPathDisplay"]
