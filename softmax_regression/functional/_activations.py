"""The sigmoid, and activation functions with their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from softmax_regression.functional._floats import Array, as_floating


def sigmoid(z: ArrayLike) -> Array:
    r"""The logistic function, which is softmax with two classes.

    .. math:: \sigma(z) = \frac{1}{1 + e^{-z}} = \mathrm{softmax}(0, z)_2

    Softmax depends on differences of scores alone, so that with two classes one number is enough:
    the score of the second class relative to that of the first.

    Parameters
    ----------
    z : array-like
        Any real numbers, ±inf included.

    Returns
    -------
    ndarray of the shape and floating dtype of `z`
        Numbers between 0 and 1, accurate up to rounding in both tails.

    Examples
    --------
    >>> sigmoid([-1.0, 0.0, 1.0]).round(3)
    array([0.269, 0.5  , 0.731])
    >>> from softmax_regression.functional import softmax
    >>> float(sigmoid(1.5)) == float(softmax([0.0, 1.5])[1])
    True
    """
    return ACTIVATIONS["logistic"].value(z)


def sigmoid_derivative(z: ArrayLike) -> Array:
    r"""The derivative of the sigmoid.

    .. math:: \sigma'(z) = \sigma(z) (1 - \sigma(z)) = \frac{e^{-|z|}}{(1 + e^{-|z|})^2}

    Parameters
    ----------
    z : array-like
        Any real numbers, ±inf included.

    Returns
    -------
    ndarray of the shape and floating dtype of `z`
        The derivative. It is largest at 0, where it is 1/4, and the same for z and −z.

    Examples
    --------
    >>> sigmoid_derivative([-2.0, 0.0, 2.0]).round(3)
    array([0.105, 0.25 , 0.105])
    """
    z, dtype = as_floating(z, "z")
    tail = np.exp(-np.abs(z))
    return np.asarray(np.minimum(tail / np.square(1 + tail), 0.25), dtype=dtype)


class Activation:
    """An elementwise function f and its derivative.

    Calling the object is the same as calling :meth:`value`. The mapping :data:`ACTIVATIONS` holds
    the activations that `SmallMLP` accepts by name. It accepts any other `Activation` as well.

    Parameters
    ----------
    value : callable
        The function f. It takes an array of any shape and returns an array of that shape.
    derivative : callable
        The derivative f', which takes and returns arrays as `value` does.
    name : str, default='custom'
        The name of the activation in error messages.

    Raises
    ------
    ValueError
        If `derivative` differs from finite differences of `value` at one of 60 points between −4
        and 4, or if one of them returns an array of another shape.

    Examples
    --------
    >>> relu = ACTIVATIONS["relu"]
    >>> relu([-1.0, 2.0]), relu.derivative([-1.0, 2.0])
    (array([0., 2.]), array([0., 1.]))
    >>> import numpy as np
    >>> sine = Activation(np.sin, np.cos)
    >>> sine.derivative(0.0)
    array(1.)
    """

    name: str
    _functions: tuple[Callable[..., Any], ...]

    def __init__(
        self,
        value: Callable[[Array], Array],
        derivative: Callable[[Array], Array],
        name: str = "custom",
    ):
        self._set(name, value, derivative)
        self._check_slope()

    def _set(self, name: str, *functions: Callable[..., Any]) -> None:
        vars(self).update(name=name, _functions=functions)

    def __setattr__(self, name: str, value: Any) -> None:
        """Raise AttributeError, because fitted models share the object."""
        raise AttributeError(f"cannot assign to {name!r} of an Activation: make another.")

    def value_into(self, z: Array, out: Array) -> None:
        """Write f(z) to `out`, which may be `z` itself.

        Parameters
        ----------
        z, out : ndarrays of the same shape
            The arguments, and the array for the values.
        """
        out[...] = self._functions[0](z)

    def slope_into(self, z: Array, a: Array, out: Array) -> None:
        """Write f'(z) to `out`, which may be `z` itself.

        Parameters
        ----------
        z, a, out : ndarrays of the same shape
            The arguments z, the values f(z), and the array for the derivatives.
        """
        out[...] = self._functions[1](z)

    def _check_slope(self) -> None:
        """Raise unless the second function is the derivative of the first."""
        z = np.linspace(-4, 4, 60) + 0.01 * np.pi  # Kinks are usually at round numbers.
        step = 1e-5
        functions = zip(("value", "derivative"), self._functions, strict=True)
        for name, function in functions:
            shape = np.shape(function(z))
            if shape != z.shape:
                raise ValueError(
                    f"{name} of the activation {self.name!r} returns an array of shape {shape} for "
                    f"one of shape {z.shape}: it must work elementwise."
                )
        value, derivative = self._functions
        slope = (np.asarray(value(z + step)) - np.asarray(value(z - step))) / (2 * step)
        found = np.asarray(derivative(z))
        wrong = ~(np.abs(found - slope) <= 1e-4 * (1 + np.abs(slope)))
        if wrong.any():
            i = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"derivative of the activation {self.name!r} is {found[i]:.6g} at {z[i]:.6g}, but "
                f"the slope of value there is {slope[i]:.6g}: correct one of the two."
            )

    def __eq__(self, other: object) -> bool:
        """Return whether two activations have the same name and functions."""
        if not isinstance(other, Activation):
            return NotImplemented
        return (self.name, self._functions) == (other.name, other._functions)

    def __hash__(self) -> int:
        """Return a hash of name and functions."""
        return hash((self.name, self._functions))

    def __repr__(self) -> str:
        """Return the name in angle brackets."""
        return f"<activation {self.name}>"

    def __call__(self, z: ArrayLike) -> Array:
        """Alias of :meth:`value`."""
        return self.value(z)

    def value(self, z: ArrayLike) -> Array:
        """Return f(z).

        Parameters
        ----------
        z : array-like
            Any real numbers, ±inf included.

        Returns
        -------
        ndarray of the shape and floating dtype of `z`
        """
        z, dtype = as_floating(z, "z")
        flat = z.reshape(-1)  # A scalar becomes an array that can be written to.
        value = np.empty_like(flat)
        self.value_into(flat, value)
        return value.reshape(z.shape).astype(dtype, copy=False)

    def derivative(self, z: ArrayLike) -> Array:
        """Return f'(z); at a kink, the derivative from the left.

        Errors are of the size of rounding errors of the largest values of f'.

        Parameters
        ----------
        z : array-like
            Any real numbers, ±inf included.

        Returns
        -------
        ndarray of the shape and floating dtype of `z`
        """
        z, dtype = as_floating(z, "z")
        flat = z.reshape(-1)
        value, slope = np.empty_like(flat), np.empty_like(flat)
        self.value_into(flat, value)
        self.slope_into(flat, value, slope)
        return slope.reshape(z.shape).astype(dtype, copy=False)


class _BuiltIn(Activation):
    """An activation of `ACTIVATIONS`, whose functions write their results to an array."""

    def __init__(
        self,
        name: str,
        value_into: Callable[[Array, Array], Any],
        slope_into: Callable[[Array, Array, Array], Any],
    ):
        self._set(name, value_into, slope_into)

    def value_into(self, z: Array, out: Array) -> None:
        self._functions[0](z, out)

    def slope_into(self, z: Array, a: Array, out: Array) -> None:
        self._functions[1](z, a, out)


_MAX_CACHED_ZEROS = 4096  # Largest number of units of a layer for which zeros are cached.
_LEAK = 0.01  # Slope of leaky_relu below 0, which is PyTorch's default.


def _identity(z: Array, out: Array) -> None:
    np.copyto(out, z)


def _identity_slope(z: Array, a: Array, out: Array) -> None:
    out[...] = 1


def _sigmoid_into(z: Array, out: Array) -> None:
    # This is exp(min(z, 0)) / (1 + exp(-|z|)), in which no exponent is positive and overflows.
    denominator = np.abs(z)
    np.negative(denominator, out=denominator)
    np.exp(denominator, out=denominator)
    denominator += 1
    np.minimum(z, 0, out=out)
    np.exp(out, out=out)
    out /= denominator


def _sigmoid_slope(z: Array, a: Array, out: Array) -> None:
    np.subtract(1, a, out=out)
    out *= a


def _tanh(z: Array, out: Array) -> None:
    np.tanh(z, out=out)


def _tanh_slope(z: Array, a: Array, out: Array) -> None:
    np.multiply(a, a, out=out)
    np.subtract(1, out, out=out)


@lru_cache
def _zeros(length: int, dtype: np.dtype[Any]) -> Array:
    """Return an array of zeros.

    NumPy's maximum of two arrays is several times as fast as that of an array and a number.
    """
    zeros = np.zeros(length, dtype)
    zeros.flags.writeable = False
    return zeros


def _relu(z: Array, out: Array) -> None:
    width = z.shape[-1]
    np.maximum(z, _zeros(width, z.dtype) if width <= _MAX_CACHED_ZEROS else 0, out=out)


def _relu_slope(z: Array, a: Array, out: Array) -> None:
    np.greater(a, 0, out=out, casting="unsafe")


def _leaky_relu(z: Array, out: Array) -> None:
    np.maximum(z, _LEAK * z, out=out)


def _leaky_relu_slope(z: Array, a: Array, out: Array) -> None:
    np.greater(a, 0, out=out, casting="unsafe")
    out *= 1 - _LEAK
    out += _LEAK


def _elu(z: Array, out: Array) -> None:
    negative = np.expm1(np.minimum(z, 0))
    np.maximum(z, 0, out=out)
    out += negative


def _elu_slope(z: Array, a: Array, out: Array) -> None:
    np.minimum(a, 0, out=out)
    out += 1


def _softplus(z: Array, out: Array) -> None:
    tail = np.log1p(np.exp(-np.abs(z)))
    np.maximum(z, 0, out=out)
    out += tail


def _softplus_slope(z: Array, a: Array, out: Array) -> None:
    _sigmoid_into(z, out)


def _silu(z: Array, out: Array) -> None:
    gate = np.empty_like(z)
    z = np.maximum(z, -800)  # The value is 0 below, where -inf times 0 would be NaN.
    _sigmoid_into(z, gate)
    np.multiply(z, gate, out=out)


def _silu_slope(z: Array, a: Array, out: Array) -> None:
    # This is s + z s (1 - s) in terms of exp(-|z|), which is 0 where z is clipped.
    tail = np.exp(-np.abs(z))
    slope = np.clip(z, -800, 800) * tail / np.square(1 + tail)
    np.divide(np.where(z > 0, 1, tail), 1 + tail, out=out)
    out += slope


def _gelu(z: Array, out: Array) -> None:
    z = np.maximum(z, -40)  # The normal distribution function is 0 below.
    np.multiply(z, ndtr(z), out=out)


def _gelu_slope(z: Array, a: Array, out: Array) -> None:
    clipped = np.clip(z, -40, 40)  # The normal density is 0 outside.
    density = np.exp(-0.5 * np.square(clipped)) / np.sqrt(2 * np.pi).astype(z.dtype)
    np.add(ndtr(clipped), clipped * density, out=out)


class Activations(Mapping[str, Activation]):
    r"""A read-only mapping of names to activations, which are functions with their derivatives.

    ``ACTIVATIONS["relu"](z)`` is f(z) and ``ACTIVATIONS["relu"].derivative(z)`` is f'(z); both take
    arrays of any shape. The names are values of the parameter `activation` of `SmallMLP`. With
    σ(z) = 1 / (1 + exp(−z)) and Φ, φ the distribution function and density of the standard normal
    distribution:

    ===========  ==============================  ================================
    name         f(z)                            f'(z)
    ===========  ==============================  ================================
    identity     z                               1
    logistic     σ(z)                            σ(z) (1 − σ(z)), at most 1/4
    tanh         tanh(z)                         1 − tanh(z)²
    relu         max(z, 0)                       1 for z > 0, else 0
    leaky_relu   z for z > 0, else 0.01 z        1 for z > 0, else 0.01
    elu          z for z > 0, else exp(z) − 1    1 for z > 0, else exp(z)
    softplus     log(1 + exp(z))                 σ(z)
    silu         z σ(z)                          σ(z) + z σ(z) (1 − σ(z))
    gelu         z Φ(z)                          Φ(z) + z φ(z)
    ===========  ==============================  ================================

    'sigmoid' is another name of 'logistic'.

    Examples
    --------
    >>> list(ACTIVATIONS)
    ['identity', 'logistic', 'tanh', 'relu', 'leaky_relu', 'elu', 'softplus', 'silu', 'gelu']
    >>> ACTIVATIONS["tanh"].derivative([0.0, 2.0]).round(3)
    array([1.   , 0.071])
    >>> ACTIVATIONS["sigmoid"].name
    'logistic'
    """

    def __init__(self, activations: Iterable[Activation], aliases: Mapping[str, str]):
        self._activations = {activation.name: activation for activation in activations}
        self._aliases = dict(aliases)

    def __getitem__(self, name: str) -> Activation:
        try:
            return self._activations[self._aliases.get(name, name)]
        except KeyError:
            names = ", ".join([*self._activations, *self._aliases])
            raise KeyError(f"no activation is called {name!r}; there are {names}.") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._activations)

    def __len__(self) -> int:
        return len(self._activations)

    def __repr__(self) -> str:
        return f"<activations {', '.join(self)}>"


ACTIVATIONS = Activations(
    (
        _BuiltIn("identity", _identity, _identity_slope),
        _BuiltIn("logistic", _sigmoid_into, _sigmoid_slope),
        _BuiltIn("tanh", _tanh, _tanh_slope),
        _BuiltIn("relu", _relu, _relu_slope),
        _BuiltIn("leaky_relu", _leaky_relu, _leaky_relu_slope),
        _BuiltIn("elu", _elu, _elu_slope),
        _BuiltIn("softplus", _softplus, _softplus_slope),
        _BuiltIn("silu", _silu, _silu_slope),
        _BuiltIn("gelu", _gelu, _gelu_slope),
    ),
    aliases={"sigmoid": "logistic"},
)
