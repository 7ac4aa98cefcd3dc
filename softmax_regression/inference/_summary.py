"""The summary of `InferenceResults`, which renders its tables as text, HTML and LaTeX."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

_COVARIANCES = {
    "nonrobust": "inverse observed information",
    "HC0": "sandwich (HC0)",
    "HC1": "sandwich (HC1)",
    "cluster": "sandwich of {} clusters",
}
_LATEX = {
    "\\": r"\textbackslash{}",
    **{c: rf"\{c}" for c in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


@dataclass(frozen=True)
class Summary:
    """A summary of inference results, which prints as text.

    Parameters
    ----------
    title : str
        The title above the tables.
    facts : list of (str, str)
        The names and values of the properties of the model as a whole.
    tables : dict of str to DataFrame
        The table of coefficients of each class, as text.
    notes : list of str
        Sentences below the tables.
    """

    title: str
    facts: list[tuple[str, str]]
    tables: dict[str, pd.DataFrame]
    notes: list[str]

    def as_text(self) -> str:
        """Return the summary as text."""
        blocks = []
        for name, table in self.tables.items():
            blocks.append(_text_table(name, table))
        width = max(max(len(line) for line in block) for block in blocks)
        width = max(width, 78)
        lines = [self.title.center(width).rstrip(), "=" * width]
        half = -(-len(self.facts) // 2)
        side = (width - 2) // 2
        for left, right in _paired(self.facts, half):
            lines.append(f"{_fact(left, side)}  {_fact(right, side)}".rstrip())
        for block in blocks:
            lines += ["=" * width, block[0], "-" * width, *block[1:]]
        lines.append("=" * width)
        return "\n".join([*lines, *self.notes])

    def __str__(self) -> str:
        return self.as_text()

    def __repr__(self) -> str:
        return self.as_text()

    def as_html(self) -> str:
        """Return the summary as HTML."""
        half = -(-len(self.facts) // 2)
        rows = "".join(
            "<tr>" + "".join(f"<th>{escape(n)}</th><td>{escape(v)}</td>" for n, v in pair) + "</tr>"
            for pair in _paired(self.facts, half)
        )
        parts = [f"<table><caption>{escape(self.title)}</caption>{rows}</table>"]
        for name, table in self.tables.items():
            head = "".join(f"<th>{escape(c)}</th>" for c in [name, *table.columns])
            body = "".join(
                f"<tr><th>{escape(str(feature))}</th>"
                + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
                + "</tr>"
                for feature, cells in zip(table.index, table.to_numpy(), strict=True)
            )
            parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        parts += [f"<p>{escape(note)}</p>" for note in self.notes]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        return self.as_html()

    def as_latex(self) -> str:
        """Return the summary as LaTeX, whose tables need no packages."""
        half = -(-len(self.facts) // 2)
        parts = [r"\begin{center}", rf"\textbf{{{_latex(self.title)}}}\\[1ex]"]
        parts.append(r"\begin{tabular}{llll}" + "\n" + r"\hline")
        for pair in _paired(self.facts, half):
            cells = [_latex(text) for fact in pair for text in fact]
            parts.append(" & ".join(cells) + r" \\")
        parts += [r"\hline", r"\end{tabular}"]
        for name, table in self.tables.items():
            parts.append(r"\begin{tabular}{l" + "r" * table.shape[1] + "}\n" + r"\hline")
            parts.append(
                " & ".join(map(_latex, [name, *table.columns])) + r" \\" + "\n" + r"\hline"
            )
            for feature, cells in zip(table.index, table.to_numpy(), strict=True):
                parts.append(" & ".join([_latex(str(feature)), *map(_latex, cells)]) + r" \\")
            parts += [r"\hline", r"\end{tabular}"]
        parts.append(r"\end{center}")
        parts += [_latex(note) + r"\\" for note in self.notes]
        return "\n".join(parts) + "\n"


def summarize(results: Any, alpha: float) -> Summary:
    """Return the summary of inference results."""
    frame = results.summary_frame(alpha)
    ends = {"lower": f"[{alpha / 2:.3g}", "upper": f"{1 - alpha / 2:.3g}]"}
    tables = {}
    for label in results.params.columns:
        of_class = frame[frame["class"] == label].set_index("feature").drop(columns="class")
        tables[f"class {label}"] = _as_text(of_class).rename(columns=ends)
    return Summary("Softmax regression results", _facts(results), tables, _notes(results))


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    text = {}
    for name, column in table.items():
        digits = {"coef": "{:.4f}", "z": "{:.3f}"}.get(str(name), "{:.3f}")
        text[str(name)] = [_number(value, digits) for value in column]
    return pd.DataFrame(text, index=table.index)


def _number(value: float, digits: str) -> str:
    if value == 0 or (1e-3 <= abs(value) < 1e6) or not np.isfinite(value):
        return digits.format(value)
    return f"{value:.3g}" if abs(value) >= 1e6 or digits == "{:.4f}" else digits.format(value)


def _facts(results: Any) -> list[tuple[str, str]]:
    covariance = _COVARIANCES[results.cov_type].format(results._n_groups)
    if results.penalized and results.cov_type == "nonrobust":
        covariance = "Laplace posterior"
    missing = [c for c in results.classes if c not in list(results.params.columns)]
    return [
        ("Method:", _method(results)),
        ("Covariance:", covariance),
        ("Weights:", results.weights),
        ("Reference:", str(missing[0]) if missing else "none (sum 0)"),
        ("No. observations:", f"{results.nobs:g}"),
        ("Df residuals:", f"{results.df_resid:.6g}"),
        ("Df model:", f"{results.df_model:.6g}"),
        ("C:", f"{results.C:g}"),
        ("Log-likelihood:", f"{results.llf:.5g}" if abs(results.llf) < 1 else f"{results.llf:.3f}"),
        ("LL-Null:", f"{results.llnull:.3f}"),
        ("Pseudo R-squ.:", f"{results.prsquared:.4f}"),
        ("LLR p-value:", f"{results.llr_pvalue:.4g}"),
        ("AIC:", f"{results.aic:.3f}"),
        ("BIC:", f"{results.bic:.3f}"),
    ]


def _method(results: Any) -> str:
    if results.bias_reduced:
        return "Firth's bias reduction"
    return "penalized likelihood" if results.penalized else "maximum likelihood"


def _notes(results: Any) -> list[str]:
    notes = []
    if results.bias_reduced:
        notes.append(
            "Estimates maximise the likelihood with Jeffreys' prior (Firth); the LLR p-value is "
            "that of the\npenalized likelihood. Of intervals and tests of coefficients, prefer "
            "method='profile' and\nmethod='lr': errors and P>|z| are Wald's."
        )
    if results.penalized:
        what = "frequentist sandwich around the penalized estimate"
        if results.cov_type == "nonrobust":
            what = "posterior under the normal prior that the penalty stands for"
        notes.append(
            f"Errors are those of the {what}.\nPenalized estimates are biased towards 0: P>|z| is "
            "no test of a coefficient."
        )
    if results.weights == "sampling":
        notes.append("The log-likelihood is a pseudo-likelihood, of weights scaled to a mean of 1.")
    return notes


def _paired(facts: list[tuple[str, str]], half: int) -> list[tuple[tuple[str, str], ...]]:
    right = [*facts[half:], ("", "")][:half]
    return list(zip(facts[:half], right, strict=True))


def _fact(fact: tuple[str, str], width: int) -> str:
    name, value = fact
    return name + value.rjust(width - len(name))


def _text_table(name: str, table: pd.DataFrame) -> list[str]:
    labels = [name, *map(str, table.index)]
    width = max(20, *map(len, labels))
    rows = [list(table.columns), *table.to_numpy().tolist()]
    widths = [max(10, *(len(row[i]) for row in rows)) for i in range(table.shape[1])]
    return [
        label.ljust(width) + "".join(cell.rjust(w + 1) for cell, w in zip(row, widths, strict=True))
        for label, row in zip(labels, rows, strict=True)
    ]


def _latex(text: Any) -> str:
    return "".join(_LATEX.get(c, c) for c in str(text))
