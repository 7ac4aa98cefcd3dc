"""Softmax at a precision far beyond what is shown, by mpmath, and digits compared with it."""

import re

import numpy as np
from mpmath import mp, mpf


def exact(scores, temperature, true_class):
    """Return the quantities of a calculation by the textbook formulas, as mpmath numbers.

    What is missing from a probability to 1 is summed up, as no precision holds 1 - exp(-1e308).
    """
    z, T = [mpf(score) for score in scores], mpf(temperature)
    top = max(z)
    if top == mp.inf:
        shifted = [mpf(0) if score == mp.inf else -mp.inf for score in z]
    else:
        shifted = [(score - top) / T for score in z]
    exponentials = [mp.exp(x) for x in shifted]
    first, classes = shifted.index(0), range(len(z))
    others = mp.fsum(exponentials[k] for k in classes if k != first)
    p = [e / (1 + others) for e in exponentials]
    missing = [mp.fsum(p[j] for j in classes if j != k) for k in classes]
    quantities = {"total": 1 + others, "log total": mp.log1p(others)}
    for k in classes:
        log_p = shifted[k] - mp.log1p(others)
        quantities |= {f"shifted {k}": shifted[k], f"exponential {k}": exponentials[k]}
        quantities |= {f"p {k}": p[k], f"log p {k}": log_p}
        quantities[f"gradient {k}"] = (-missing[k] if k == true_class else p[k]) / T
        for j in classes:
            slope = p[k] * missing[k] if j == k else -p[k] * p[j]
            quantities[f"jacobian {k} {j}"] = slope / T
    quantities["cross-entropy"] = -quantities[f"log p {true_class}"]
    if len(z) == 2:
        difference = shifted[0] if shifted[1] == 0 else -shifted[1]
        quantities |= {"difference": difference, "sigmoid": p[0], "slope": p[0] * p[1]}
    return quantities


def assert_every_digit_is_right(text, value, digits):
    """Compare with half a unit in the last digit shown; of tiny numbers the exponent is shown."""
    text = text.replace("\u2212", "-").replace("∞", "inf")
    if mp.isinf(value):
        assert text == ("inf" if value > 0 else "-inf")
        return
    if value == 0:
        assert text == "0"
        return
    power = re.fullmatch(r"(-?)10\^\((.*)\)", text)
    if power:
        assert (power[1] == "-") == (value < 0)
        assert_every_digit_is_right(power[2], mp.log10(abs(value)), digits)
        return
    number = re.fullmatch(r"-?(\d+(?:\.(\d+))?)(?:e(-?\d+))?", text)
    assert number, text
    significant = number[1].replace(".", "").lstrip("0")
    assert len(significant) == digits, text
    unit = mpf(10) ** (int(number[3] or 0) - len(number[2] or ""))
    assert abs(mpf(text) - value) <= unit / 2 * (1 + mpf(10) ** -20), (text, mp.nstr(value, 60))


def assert_agrees(shown, scores, temperature, true_class, digits):
    """Compare all that is shown, a dict of texts, with the same at a much higher precision."""
    longest = max(map(len, [*scores, temperature]))
    with mp.workprec(20_000 if longest > 30 else 2_000 if "e" in "".join(scores) else 600):
        quantities = exact(scores, temperature, true_class)
        assert shown.keys() <= quantities.keys()
        for name, text in shown.items():
            assert_every_digit_is_right(text, quantities[name], digits)


def random_case(rng):
    n_classes = int(rng.integers(1, 7))
    decimals, scale = int(rng.integers(0, 18)), 10 ** rng.uniform(-3, 3)
    scores = [f"{z:.{decimals}f}" for z in rng.normal(scale=scale, size=n_classes)]
    for k in np.flatnonzero(rng.random(n_classes) < 0.05):
        scores[k] = rng.choice(["-inf", "1e-300", "0", "-4.5E2"])
    if all(score == "-inf" for score in scores):
        scores[0] = "0.5"
    temperature = f"{10 ** rng.uniform(-1.5, 1.5):.{int(rng.integers(1, 6))}g}"
    return scores, temperature, int(rng.integers(n_classes)), int(rng.integers(1, 51))
