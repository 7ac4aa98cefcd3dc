"""``python -m softmax_regression``: every printed digit is right, and errors have remedies."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from exact_softmax import assert_agrees, random_case

from softmax_regression.__main__ import main

COLUMNS = {"shifted": "shifted", "exponential": "exponential", "probability": "p"}
COLUMNS |= {"log-probability": "log p", "gradient": "gradient"}


def printed(capsys, *arguments):
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def sums(text):
    """Return the three numbers below the columns, by the names of `exact_softmax`."""
    names = {"sum of the exponentials": "total", "logarithm of the sum": "log total"}
    names["cross-entropy, as class [0-9]+ is true"] = "cross-entropy"
    found = {name: re.search(rf"^{words}:?\s+(\S+)$", text, re.M) for words, name in names.items()}
    return {name: match[1] for name, match in found.items() if match}


def side_by_side(text):
    header, *rows = [line.split() for line in text.split("\n\n")[0].splitlines()]
    return {
        f"{COLUMNS[name]} {row[0]}": number
        for row in rows
        for name, number in zip(header[2:], row[2:], strict=True)
    }


def one_below_the_other(text):
    shown, column = {}, None
    for line in text.splitlines():
        if line in COLUMNS:
            column = COLUMNS[line]
        elif match := re.fullmatch(r"  (\d+)  (\S+)", line):
            shown[f"{column} {match[1]}"] = match[2]
    return shown


@pytest.mark.parametrize("seed", range(4))
def test_every_digit_is_right(capsys, seed):
    rng = np.random.default_rng(seed)
    for _ in range(50):
        scores, temperature, true_class, digits = random_case(rng)
        options = ["--temperature", temperature, "--true", true_class, "--digits", digits]
        text = printed(capsys, *scores, *options)
        shown = side_by_side(text) if digits <= 8 else one_below_the_other(text)
        assert len(shown) == 5 * len(scores)
        assert len(sums(text)) == 3
        assert_agrees(shown | sums(text), scores, temperature, true_class, digits)


@pytest.mark.parametrize(
    ("scores", "temperature"),
    [
        (["inf", "0"], "1"),
        (["inf", "inf", "3"], "0.1"),
        (["-inf", "-1000", "-1001"], "1"),
        (["1e308", "-1e308", "0"], "1e300"),
        (["1e308", "1e308"], "1e-300"),
        (["5e-324", "-5e-324", "2.2250738585072014e-308"], "4.9e-324"),
        (["40", "0"], "1"),
        (["0", "1e5"], "1"),
        (["0", "-0", "+0", "0e9"], "1"),
        (["0." + "3" * 4000, "0.1"], "1"),
        (["9" * 3000 + "e-2999", "-" + "7" * 2500 + "e-2500"], "1." + "0" * 2000 + "1"),
        (["0." + "0" * 900 + "1", "0"], "1"),
        (["3"], "1"),
    ],
)
@pytest.mark.parametrize("digits", [1, 50])
def test_every_digit_of_hostile_scores_is_right(capsys, scores, temperature, digits):
    for true_class in {0, len(scores) - 1}:
        options = ["--temperature", temperature, "--true", true_class, "--digits", digits]
        text = printed(capsys, *scores, *options)
        shown = side_by_side(text) if digits <= 8 else one_below_the_other(text)
        assert_agrees(shown | sums(text), scores, temperature, true_class, digits)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["two", "1"], "'two' is not a number"),
        (["nan", "1"], "'nan' is not a number"),
        (["", "1"], "'' is not a number"),
        (["-inf", "-inf"], "no softmax"),
        (["1e308", "0"], "temperatures apart"),
        (["1e99999999999999999", "0"], "1e1000"),
        (["1e2000", "0"], "1e1000"),
        (["1", "0", "--true", "2"], "counted from 0 to 1; got 2"),
        (["1", "0", "--true", "-1"], "counted from 0 to 1; got -1"),
        (["1", "0", "--temperature", "0"], "above 0"),
        (["1", "0", "--temperature", "-2"], "above 0"),
        (["1", "0", "--temperature", "inf"], "above 0"),
        (["1", "0", "--temperature", "hot"], "above 0, got 'hot'"),
        (["1", "0", "--digits", "0"], "between 1 and 1000"),
        (["1", "0", "--digits", "1001"], "between 1 and 1000"),
        ([], "required: score"),
    ],
)
def test_errors_say_what_to_do(capsys, arguments, words):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert words in " ".join(output.err.split())


def test_it_runs_as_a_module():
    command = [sys.executable, "-W", "error", "-m", "softmax_regression", "2", "1", "-1e3"]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "0.731059" in done.stdout
    assert "gradient" not in done.stdout
