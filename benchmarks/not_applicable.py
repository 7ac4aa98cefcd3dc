"""Which of scikit-learn's tests do not apply to our estimators, and why.

Each is given as the name of a function and, where not all of its tests are meant, words that the
identifiers of their parameters have between hyphens. All of them are run, and have to fail: a test
that passes after all does not belong here.
"""

from typing import Any

# How some messages of scikit-learn's begin, and what ours for the same have to match.
IN_OUR_WORDS = {
    "Found input variables with inconsistent number": "number of rows",
    "newton-cg failed to converge": "max_iter",
    "Liblinear failed to converge": "max_iter",
    "The max_iter was reached": "max_iter",
    "lbfgs failed to converge": "max_iter",
    "Newton solver did not converge": "max_iter",
    "warm_start can only be used where": "warm_start=True",
    "The least populated classes in y have only 1 member": "only 1 member",
    "partial_fit does not support early_stopping=True": "early_stopping=True",
}

_LEGACY = "attributes of LogisticRegressionCV with use_legacy_attributes=True"
_LIBLINEAR = "what liblinear, sag or saga can't do, or does in its own way"
_WARNINGS = "warnings of scikit-learn's, of changes to come and of parameters left out here"
_PRIVATE = "private functions and attributes of scikit-learn"
_FAST = "converges before max_iter"
_CALLBACKS = "which tasks callbacks see"
_MULTILABEL = "multilabel targets"
_STREAMS = "that there is no partial_fit"
_KEPT = "a preconditioner that newton-cg keeps from one iteration to the next"
_DIGITS = "more digits of probabilities than tol=1e-6 makes sure of"

_LOGISTIC = {
    _LEGACY: [
        "test_logistic_cv True",
        "test_multinomial_cv_iris",
        "test_n_iter True",
        "test_LogisticRegressionCV_no_refit",
        "test_LogisticRegressionCV_elasticnet_attribute_shapes",
        "test_LogisticRegressionCV_on_folds",
        "test_scores_attribute_layout_elasticnet",
        "test_lr_cv_scores_differ_when_sample_weight_is_requested",
    ],
    _LIBLINEAR: [
        "test_check_solver_option",
        "test_liblinear_dual_random_state",
        "test_dtype_match liblinear",
        "test_large_sparse_matrix liblinear",
        "test_large_sparse_matrix sag",
        "test_large_sparse_matrix saga",
        "test_liblinear_with_large_values",
        "test_liblinear_multiclass_raises",
    ],
    _WARNINGS: [
        "test_l1_ratio_non_elasticnet",
        "test_penalty_none",
        "test_penalty_deprecated",
        "test_logisticregressioncv_warns_with_use_legacy_attributes",
        "test_l1_ratio_None_deprecated",
        "test_logisticregression_warns_with_n_jobs",
        "test_lr_penalty_l1ratio_incompatible",
        "test_lr_scoring_warns",
    ],
    _PRIVATE: [
        "test_logistic_cv_multinomial_score",
        "test_logreg_predict_proba_multinomial",
        "test_get_default_scorer",
    ],
    _FAST: [
        "test_max_iter liblinear max_iter3",
        "test_max_iter sag max_iter3",
        "test_max_iter saga max_iter3",
    ],
    _KEPT: ["test_warm_start_newton_solver newton cg"],
    _CALLBACKS: [
        "test_logistic_regression_callback_support 0",
        "test_logistic_regression_callback_support 2",
        "test_logistic_regression_callback_support_warning",
    ],
    "max_iter=0": ["test_zero_max_iter"],
    "newton-cholesky does not hand over to lbfgs": ["test_newton_cholesky_fallback_to_lbfgs"],
    "folds of a cross-validation with rows of a single class": [
        "test_logistic_cv_folds_with_classes_missing 2"
    ],
}

_MLP = {
    _PRIVATE: [
        "test_fit",
        "test_gradient",
        "test_learning_rate_warmstart",
        "test_adaptive_learning_rate",
        "test_n_iter_no_change",
        "test_n_iter_no_change_inf",
    ],
    _MULTILABEL: ["test_multilabel_classification", "test_predict_proba_multilabel"],
    "a ConvergenceWarning where the loss has levelled off": [
        "test_mlp_warm_start_no_convergence lbfgs MLPClassifier"
    ],
    "what verbose=True prints": ["test_verbose_sgd"],
    "rows of a single class": ["test_preserve_feature_names MLPClassifier"],
    _STREAMS: ["test_mlp_partial_fit_after_fit MLPClassifier"],
}

TESTS: dict[str, dict[str, list[str]]] = {
    "linear_model/tests/test_logistic.py": _LOGISTIC,
    "neural_network/tests/test_mlp.py": _MLP,
    "ensemble/tests/test_stacking.py": {
        _MULTILABEL: [
            "test_stacking_classifier_multilabel_predict_proba MLPClassifier",
            "test_stacking_classifier_multilabel_auto_predict",
        ],
    },
    "model_selection/tests/test_search.py": {
        _DIGITS: ["test_search_cv_sample_weight_equivalence estimator0"],
    },
    "tests/test_multiclass.py": {_STREAMS: ["test_multiclass_estimator_attribute_error"]},
    "tests/test_multioutput.py": {
        _DIGITS: ["test_multiclass_multioutput_estimator_predict_proba"],
    },
}


def is_meant(test: str, item: Any) -> bool:
    """Whether an item that pytest has collected is one of these tests."""
    name, *words = test.split()
    identifiers = item.callspec.id.split("-") if hasattr(item, "callspec") else []
    return item.originalname == name and set(words) <= set(identifiers)
