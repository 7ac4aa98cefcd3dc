"""From data and parameters of an estimator to objectives, unknowns and solvers.

`smooth`, `sparse`, `bounded` and `bias_reduced` pose one problem each, with an L2 penalty alone,
with a penalty that makes zeros, with bounds, and with Jeffreys' prior. `warm_starts` solves one for
each C, `folds`, `leave_one_out` and `grid` those of cross-validation. `feature_weights` says how
much the penalty of each feature counts, `classes_with_weight` leaves out classes without weight,
`rounding` certifies what is left of a solution in the precision of X.
"""
