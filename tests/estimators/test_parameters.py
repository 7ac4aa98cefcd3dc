"""Parameters that estimators share are declared once, and documented in all of them."""

import inspect
import re

import pytest

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV, softmax_path

ALL = [SmallMLP, SoftmaxRegression, SoftmaxRegressionCV, softmax_path]


def documented(estimator):
    """Names in the section of parameters of a docstring."""
    section = inspect.getdoc(estimator).partition("Parameters\n----------\n")[2]
    section = re.split(r"\n\n[A-Z][A-Za-z ]*\n-+\n", section)[0]
    names = re.findall(r"^(\w+(?:, \w+)*) : ", section, flags=re.MULTILINE)
    return [name for group in names for name in group.split(", ")]


@pytest.mark.parametrize("estimator", ALL)
def test_every_parameter_is_documented_once_and_nothing_else(estimator):
    names = list(inspect.signature(estimator).parameters)
    assert sorted(documented(estimator)) == sorted(names)


@pytest.mark.parametrize("estimator", ALL)
def test_no_placeholder_is_left_in_a_docstring(estimator):
    assert not re.search(r"^\s*\{\w+\}$", estimator.__doc__, flags=re.MULTILINE)


@pytest.mark.parametrize("estimator", ALL[:3])
def test_every_parameter_has_its_constraint_and_nothing_else(estimator):
    assert set(estimator._parameter_constraints) == set(inspect.signature(estimator).parameters)
