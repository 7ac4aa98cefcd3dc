"""The rooms of the package: folders are those of the documentation, and imports only go down."""

import ast
import re
from pathlib import Path

import pytest

import softmax_regression

ROOT = Path(softmax_regression.__file__).parent

# From top to bottom: a file imports from its own room and from those below.
ROOMS = [
    "onnx",
    "dask",
    "inspection",
    "linear_model",
    "neural_network",
    "inference",
    "_estimators",
    "_problems",
    "_solvers",
    "_curvature",
    "_objectives",
    "_data",
    "_penalties",
    "_losses",
    "_linalg",
    "functional",
]

FILES = sorted(ROOT.rglob("*.py"))


def module_of(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imported(path):
    """Modules of the package that a file imports, those for type checkers included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def within(path):
    return [name for name in imported(path) if name.partition(".")[0] == "softmax_regression"]


def room(module):
    return module.split(".")[1] if "." in module else ""


def test_every_folder_has_its_place():
    folders = {path.relative_to(ROOT).parts[0] for path in FILES if path.parent != ROOT}
    assert folders == set(ROOMS)


def test_the_root_holds_public_names_only():
    assert {path.name for path in ROOT.iterdir() if path.suffix} <= {
        "__init__.py",
        "__main__.py",
        "py.typed",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_go_down(path):
    mine = room(module_of(path))
    if not mine:
        return
    higher = [module for module in within(path) if ROOMS.index(room(module)) < ROOMS.index(mine)]
    assert not higher


def test_there_is_no_circle_between_files():
    graph = {name: set(within(path)) & set(MODULES) for name, path in MODULES.items()}
    done, under_way = set(), []

    def visit(module):
        assert module not in under_way, " → ".join([*under_way, module])
        if module in done:
            return
        under_way.append(module)
        for other in sorted(graph[module] - {module}):
            visit(other)
        under_way.pop()
        done.add(module)

    for module in graph:
        visit(module)


def test_private_folders_hold_no_public_api():
    public = [name for name in MODULES if room(name) and not room(name).startswith("_")]
    assert {room(name) for name in public} == {r for r in ROOMS if not r.startswith("_")}
    for name in public:
        files = name.split(".")[2:]
        assert all(part.startswith("_") for part in files), name


MAX_LINES_OF_FILE = 450
MAX_LINES_OF_FUNCTION = 60

DOCUMENTED = (ast.ClassDef, ast.FunctionDef)


def docstring_lines(node):
    first = node.body[0]
    has_one = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return first.end_lineno - first.lineno + 1 if has_one and ast.get_docstring(node) else 0


def lines_without_public_docstrings(path):
    text = path.read_text()
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, DOCUMENTED)]
    public = (node for node in nodes if not node.name.startswith("_"))
    in_docstrings = (
        0 if module_of(path).split(".")[1:][:1][0][:1] == "_" else sum(map(docstring_lines, public))
    )
    return len(text.splitlines()) - in_docstrings


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.parent != ROOT], ids=lambda path: str(path.relative_to(ROOT))
)
def test_files_are_short(path):
    assert lines_without_public_docstrings(path) <= MAX_LINES_OF_FILE


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_fit_on_a_screen(path):
    """The body counts, without the docstring; a table of parameters is none."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name != "__init__":
            body = node.body[1:] if docstring_lines(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length <= MAX_LINES_OF_FUNCTION, f"{node.name} has {length} lines"


PAGE = ROOT.parent / "docs" / "architecture.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the page is in a checkout only")
def test_the_page_on_architecture_names_what_there_is():
    text = PAGE.read_text()
    rooms = re.findall(r"^\| `(\w+)/` \|.*\| `([\w/]+\.py)` \|$", text, flags=re.MULTILINE)
    assert [room for room, _ in rooms] == ROOMS
    for room, first in rooms:
        assert (ROOT / room / first).exists(), first
    for path in re.findall(r"`((?:_?[a-z]\w*/)+[\w.]*)`", text):
        places = [ROOT / path, ROOT.parent / path, *(ROOT / room / path for room in ROOMS)]
        assert any(place.exists() for place in places), path
