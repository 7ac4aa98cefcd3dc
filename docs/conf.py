"""Settings of Sphinx, which builds the site: ``python -m sphinx -W docs docs/_build``."""

import inspect
import sys
import warnings
from pathlib import Path

import softmax_regression

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for mathml.py

project = "softmax-regression"
author = "The softmax-regression developers"
project_copyright = author
version = release = softmax_regression.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "matplotlib.sphinxext.plot_directive",
    "mathml",
]
exclude_patterns = [
    "_build",
    "standalone",
    "gallery/**/*.ipynb",
    "sg_execution_times.rst",
]
templates_path = ["_templates"]
default_role = "py:obj"
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "amsmath"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = "softmax-regression"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["standalone"]  # pages of their own, copied as they are
html_math_renderer = "mathml"
html_show_sourcelink = False
_ALONE = (
    "get_started",
    "calculator",
    "coming_from",
    "how_it_works",
    "benchmarks",
    "whats_new",
    "citing",
)
html_sidebars = {page: [] for page in _ALONE}  # there is nothing to navigate in their sections
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

autosummary_generate = True
numpydoc_show_class_members = False
autodoc_typehints = "none"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": str(HERE.parent / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 10_000,
    "write_computation_times": False,  # a table that asks for scripts from elsewhere
    "plot_gallery": True,
}
plot_formats = [("png", 160)]
plot_html_show_source_link = False
plot_html_show_formats = False
plot_include_source = False
plot_basedir = str(HERE)
plot_apply_rcparams = True
plot_rcparams = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 2,
    "legend.frameon": False,
}

# An example that is built where nothing can be shown says so.
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")


def join_continued_lines(app, what, name, obj, options, lines):
    """Join lines that end with a backslash, as a parameter and its type must stand on one line."""
    for k in reversed(range(len(lines) - 1)):
        if lines[k].endswith("\\"):
            lines[k : k + 2] = [lines[k][:-1].rstrip() + " " + lines[k + 1].strip()]


def signature_of_init(app, what, name, obj, options, signature, return_annotation):
    """Show a class with the parameters of its __init__, where a __new__ takes any."""
    if what != "class":
        return None
    own = inspect.signature(obj)
    parameters = [p.replace(annotation=inspect.Parameter.empty) for p in own.parameters.values()]
    return str(own.replace(parameters=parameters)), return_annotation


def strip_last_line_of_code(app, docname, source):
    """Drop the empty line that ends an example, so that doctest sees where its output ends."""
    source[0] = source[0].replace("\n\n```\n", "\n```\n")


def setup(app):
    app.connect("autodoc-process-docstring", join_continued_lines, priority=100)  # before numpydoc
    app.connect("autodoc-process-signature", signature_of_init)
    app.connect("source-read", strip_last_line_of_code)
