"""Formulas as MathML, which browsers draw themselves: no script, and nothing from a network."""

import re

from docutils import nodes
from latex2mathml.converter import convert


def mathml(formula, display):
    """Convert a formula, and set "log" apart from what follows, unless that is a parenthesis."""
    name = r"(<mi>log</mi>)(?!<mo[^>]*>&#x00028;)"
    return re.sub(name, r'\1<mspace width="0.17em"/>', convert(formula, display=display))


def visit_math(translator, node):
    translator.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_math_block(translator, node):
    formula = node.astext().strip()
    if r"\\" in formula and r"\begin" not in formula:
        formula = rf"\begin{{aligned}}{formula}\end{{aligned}}"
    # The box is focusable, since a wide formula scrolls sideways on a narrow screen.
    translator.body.append('<div class="formula" tabindex="0" role="group" aria-label="Formula">')
    translator.body.append(mathml(formula, "block") + "</div>\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
