"""scikit-learn's own tests, with our estimators in the place of its own."""

import importlib.util
import multiprocessing as mp
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import sklearn

from benchmarks.report import Table, progress

VERSION = "1.9"  # of scikit-learn, whose tests `not_applicable.py` knows
# Those of what we stand in for, and of what other people wrap around a classifier.
MODULES = (
    "linear_model/tests/test_logistic.py",
    "neural_network/tests/test_mlp.py",
    "ensemble/tests/test_bagging.py",
    "ensemble/tests/test_stacking.py",
    "ensemble/tests/test_voting.py",
    "ensemble/tests/test_weight_boosting.py",
    "feature_selection/tests/test_from_model.py",
    "feature_selection/tests/test_rfe.py",
    "frozen/tests/test_frozen.py",
    "inspection/_plot/tests/test_boundary_decision_display.py",
    "inspection/tests/test_partial_dependence.py",
    "inspection/tests/test_permutation_importance.py",
    "metrics/_plot/tests/test_common_curve_display.py",
    "metrics/tests/test_score_objects.py",
    "model_selection/tests/test_classification_threshold.py",
    "model_selection/tests/test_search.py",
    "model_selection/tests/test_validation.py",
    "semi_supervised/tests/test_self_training.py",
    "tests/test_calibration.py",
    "tests/test_metaestimators.py",
    "tests/test_metaestimators_metadata_routing.py",
    "tests/test_multiclass.py",
    "tests/test_multioutput.py",
    "tests/test_pipeline.py",
    "utils/tests/test_response.py",
)
PASSED, NOT_APPLICABLE, FAILED = "passed", "not applicable", "failed"


class Result(NamedTuple):
    """How a test ended, which is one of the three above; why, if not passed."""

    test: str
    outcome: str
    why: str = ""


def run(modules: Sequence[str] = MODULES) -> Iterator[dict[str, Any]]:
    """Run the tests of each module in a process of its own; tell how many passed, and why not."""
    missing = _missing()
    if missing:
        progress(f"compatibility is skipped: {missing}")
        return
    table = Table("module of scikit-learn", PASSED, NOT_APPLICABLE, FAILED)
    results: list[Result] = []
    for module in modules:
        found = results_of(module)
        counts = Counter(result.outcome for result in found)
        table.row(module, *(str(counts[how]) for how in (PASSED, NOT_APPLICABLE, FAILED)))
        results += found
        yield {"module": module, "results": [result._asdict() for result in found]}
    _explain(results)


def results_of(module: str) -> list[Result]:
    """Run the tests of a module; those that fit none of our estimators are not told of."""
    with ProcessPoolExecutor(1, mp_context=mp.get_context("spawn")) as pool:
        return pool.submit(_run_pytest, module).result()


def _missing() -> str:
    if not sklearn.__version__.startswith(f"{VERSION}."):
        return f"it is about scikit-learn {VERSION}, and {sklearn.__version__} is installed"
    return "" if importlib.util.find_spec("pytest") else "pytest is not installed"


def _run_pytest(module: str) -> list[Result]:
    import pytest
    from joblib.externals.loky import get_reusable_executor

    from benchmarks.in_place import InPlace

    # Arrays of other libraries are refused: tests with them are skipped where this is not set.
    os.environ.pop("SCIPY_ARRAY_API", None)
    folder, plugin = Path(sklearn.__file__).parent, InPlace(module)
    # Settings of pytest that a folder above scikit-learn's may hold are not for its tests.
    own = ["-c", os.devnull, f"--rootdir={folder}", "-p", "no:cacheprovider", "-p", "no:terminal"]
    pytest.main([*own, str(folder / module)], plugins=[plugin])
    # Workers of joblib that idle would keep this process from ending for five minutes.
    get_reusable_executor().shutdown(kill_workers=True)
    return plugin.results


def _explain(results: list[Result]) -> None:
    """Print why tests do not apply, and how others failed."""
    print(flush=True)
    table = Table("not applicable", "tests")
    reasons = Counter(result.why for result in results if result.outcome == NOT_APPLICABLE)
    for reason, count in reasons.most_common():
        table.row(reason, str(count))
    failed = [result for result in results if result.outcome == FAILED]
    if failed:
        print(flush=True)
        table = Table("failed", "why")
        for result in failed:
            table.row(result.test, result.why)
