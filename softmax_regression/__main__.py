"""Softmax step by step in a shell: ``python -m softmax_regression 2 1 0 --temperature 0.5``.

Scores are taken exactly as they are written, and Python's decimal arithmetic computes with more
digits than are shown, so that every digit shown is right.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation, localcontext
from typing import NamedTuple

_MOST_DIGITS = 1000
_SIDE_BY_SIDE = 8  # digits up to which all steps of a class stand in one row
_LARGEST = 1000  # size of the decimal exponents of scores and temperature
_FARTHEST = Decimal("1e17")  # between scores, in temperatures: beyond, exp leaves Decimal's range
_GUARD = 30  # digits that are computed and not shown


class _Steps(NamedTuple):
    """The columns of the table, one number for each class, and what they add up to."""

    columns: dict[str, list[Decimal]]
    sums: dict[str, Decimal]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the steps from scores to probabilities, and to the loss and its gradient.

    Parameters
    ----------
    arguments : sequence of str, default=None
        Scores and options as in a shell; by default those of the command line.
    """
    parser = _parser()
    given = parser.parse_args(_protected(sys.argv[1:] if arguments is None else arguments))
    try:
        scores, temperature = _numbers(given)
        steps = _steps(scores, temperature, given.true, given.digits)
    except ValueError as error:
        parser.error(str(error))
    layout = _side_by_side if given.digits <= _SIDE_BY_SIDE else _one_below_the_other
    print("\n".join(layout(steps, given)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m softmax_regression",
        description="Softmax step by step: shifted scores, exponentials, probabilities and their "
        "logarithms; with --true the cross-entropy and its gradient in the scores, too.",
        epilog="example: python -m softmax_regression 2 1 0 --temperature 0.5 --true 1",
    )
    parser.add_argument(
        "scores", nargs="+", metavar="score", help="one for each class; -inf rules a class out"
    )
    parser.add_argument(
        "--temperature", default="1", metavar="T", help="what scores are divided by (default: 1)"
    )
    parser.add_argument("--true", type=int, metavar="CLASS", help="the true class, counted from 0")
    parser.add_argument(
        "--digits", type=int, default=6, metavar="N", help="significant digits (default: 6)"
    )
    return parser


def _protected(arguments: Sequence[str]) -> list[str]:
    """Put a space before negative numbers, as argparse takes -inf and -1e3 for options."""
    return [f" {a}" if a.startswith("-") and _number(a) is not None else a for a in arguments]


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        return None


def _numbers(given: argparse.Namespace) -> tuple[list[Decimal], Decimal]:
    """Return the scores and the temperature, once all that was given is in order."""
    n_classes = len(given.scores)
    scores = [_score(text) for text in given.scores]
    if max(scores) == Decimal("-inf"):
        raise ValueError("scores that are all -inf have no softmax: give one class a larger score.")
    temperature = _number(given.temperature)
    if temperature is None or not temperature.is_finite() or temperature <= 0:
        raise ValueError(f"--temperature must be a number above 0, got {given.temperature!r}.")
    _check_size(temperature, "--temperature")
    if given.true is not None and not 0 <= given.true < n_classes:
        raise ValueError(
            f"--true must be one of the {n_classes} classes, which are counted from 0 to "
            f"{n_classes - 1}; got {given.true}."
        )
    if not 1 <= given.digits <= _MOST_DIGITS:
        raise ValueError(f"--digits must lie between 1 and {_MOST_DIGITS}, got {given.digits}.")
    return scores, temperature


def _score(text: str) -> Decimal:
    score = _number(text)
    if score is None or score.is_nan():
        raise ValueError(f"score {text.strip()!r} is not a number: give one as 2, -0.5 or -inf.")
    _check_size(score, "a score")
    return score


def _check_size(number: Decimal, name: str) -> None:
    if number.is_finite() and number and abs(number.adjusted()) > _LARGEST:
        raise ValueError(
            f"{name} must be 0 or of a size from 1e-{_LARGEST} to 1e{_LARGEST}, got {number:.3e}."
        )


def _steps(scores: list[Decimal], temperature: Decimal, true: int | None, digits: int) -> _Steps:
    """Compute the steps, none of which subtracts two numbers that are nearly equal."""
    with localcontext(Context(prec=digits + _GUARD, Emin=MIN_EMIN, Emax=MAX_EMAX)) as context:
        shifted = _shifted(scores, temperature)
        farthest = -min(x for x in shifted if x.is_finite())
        if farthest > _FARTHEST:
            raise ValueError(
                f"scores must not be more than {_FARTHEST:e} temperatures apart, and are "
                f"{farthest:.3e}; for a class that cannot happen give -inf."
            )
        context.prec += max(0, farthest.adjusted())  # exp wants all digits before the point
        shifted = _shifted(scores, temperature)
        exponentials = [x.exp() for x in shifted]
        others = _all_but(shifted.index(Decimal(0)), exponentials)
        log_sum = _log_of_one_plus(others, context)
        p = [e / (1 + others) for e in exponentials]
        log_p = [x - log_sum for x in shifted]
        columns = {"shifted": shifted, "exponential": exponentials, "probability": p}
        columns["log-probability"] = log_p
        sums = {"sum of the exponentials": 1 + others, "logarithm of the sum": log_sum}
        if true is not None:
            residual = p[:]
            residual[true] = -_all_but(true, p)  # p - 1, with all its digits
            columns["gradient"] = [r / temperature for r in residual]
            sums[f"cross-entropy, as class {true} is true"] = -log_p[true]
    return _Steps(columns, sums)


def _shifted(scores: list[Decimal], temperature: Decimal) -> list[Decimal]:
    top = max(scores)
    if top.is_infinite():  # classes that are certain share
        return [Decimal(0) if score == top else Decimal("-inf") for score in scores]
    return [abs(score - top) / -temperature if score != top else Decimal(0) for score in scores]


def _all_but(k: int, numbers: list[Decimal]) -> Decimal:
    return sum(numbers[:k] + numbers[k + 1 :], Decimal(0))


def _log_of_one_plus(others: Decimal, context: Context) -> Decimal:
    """log(1 + others), by the first terms of the series where 1 + others would drown them."""
    if others < Decimal(10) ** -context.prec:
        return others - others * others / 2
    with localcontext(context) as doubled:
        doubled.prec = 2 * context.prec
        return (1 + others).ln()


def _written(number: Decimal, digits: int) -> str:
    if number.is_infinite():
        return "-inf" if number < 0 else "inf"
    if not number:
        return "0"
    context = Context(prec=digits, Emin=MIN_EMIN, Emax=MAX_EMAX)
    rounded = context.plus(number)
    first = rounded.adjusted()
    rounded = rounded.quantize(Decimal((0, (1,), first - digits + 1)), context=context)
    return f"{rounded:f}" if -6 < first < digits else f"{rounded:e}".replace("e+", "e")


def _side_by_side(steps: _Steps, given: argparse.Namespace) -> list[str]:
    """Lay out a row for each class, and the sums below."""
    header = ["class", "score", *steps.columns]
    rows = [
        [str(k), given.scores[k].strip(), *(_written(number, given.digits) for number in numbers)]
        for k, numbers in enumerate(zip(*steps.columns.values(), strict=True))
    ]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ["  ".join(map(str.rjust, row, widths)) for row in (header, *rows)]
    sums = [f"{name}: {_written(value, given.digits)}" for name, value in steps.sums.items()]
    return [*lines, "", *sums]


def _one_below_the_other(steps: _Steps, given: argparse.Namespace) -> list[str]:
    """Lay out a table for each step, as so many digits have no room beside each other."""
    lines = []
    for name, values in steps.columns.items():
        lines += [name, *(f"  {k}  {_written(x, given.digits)}" for k, x in enumerate(values))]
    for name, value in steps.sums.items():
        lines += [name, f"     {_written(value, given.digits)}"]
    return lines


if __name__ == "__main__":
    main()
