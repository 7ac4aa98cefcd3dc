"""Conversion of objects to dicts of arrays, numbers and strings, and back.

A fitted estimator keeps only such dicts. So tools that check the types in a model before they load
it, such as skops, find none that they do not know, and a pickled model can be loaded after private
modules of the package have moved.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from softmax_regression._data.moments import Moments
from softmax_regression._objectives.network.input_scaling import InputScaling
from softmax_regression._solvers.minibatch.optimizers import (
    SGD,
    Adam,
    Averaging,
    Clipping,
    Decaying,
    FadingSum,
)

# The classes whose objects can be converted, by the names that stand for them in a state. The
# attributes of such an object are all that there is to it.
_CLASSES: dict[str, type] = {
    "Adam": Adam,
    "Averaging": Averaging,
    "Clipping": Clipping,
    "Decaying": Decaying,
    "FadingSum": FadingSum,
    "InputScaling": InputScaling,
    "Moments": Moments,
    "SGD": SGD,
}
_NAMES = {known: name for name, known in _CLASSES.items()}
_PLAIN = frozenset({type(None), bool, int, float, str, np.ndarray})


def state_of(value: Any) -> Any:
    """Return a value in which each object, also within dicts, is replaced by a dict."""
    kind = type(value)
    if kind in _NAMES:
        return {"class": _NAMES[kind], **_parts(vars(value))}
    if kind is dict:
        return _parts(value)
    if kind is Fraction:
        return {"class": "Fraction", "ratio": list(value.as_integer_ratio())}
    if kind is np.random.RandomState:
        return {"class": "RandomState", **value.get_state(legacy=False)}
    return value


def _parts(attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: part if type(part) in _PLAIN else state_of(part) for name, part in attributes.items()
    }


def from_state(state: Any) -> Any:
    """Return the value whose state `state_of` returned, with copies of its arrays."""
    if isinstance(state, np.ndarray):
        return np.array(state)
    if not isinstance(state, dict):
        return state
    parts = {name: from_state(part) for name, part in state.items()}
    name = parts.pop("class", None)
    if name is None:
        return parts
    if name == "RandomState":
        random_state = np.random.RandomState(getattr(np.random, parts["bit_generator"])())
        random_state.set_state(parts)
        return random_state
    if name == "Fraction":
        return Fraction(*parts["ratio"])
    value: Any = object.__new__(_CLASSES[name])
    vars(value).update(parts)
    return value
