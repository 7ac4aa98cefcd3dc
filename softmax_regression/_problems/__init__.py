"""The step from data and an estimator's parameters to objectives, unknowns and solvers.

`smooth`, `sparse`, `bounded` and `bias_reduced` hold one problem each: with an L2 penalty alone,
with a penalty that sets coefficients to zero, with bounds, and with Jeffreys' prior. `choice`
chooses among them. `warm_starts` solves a problem for each C of a path; `folds`, `leave_one_out`
and `grid` are for cross-validation. `feature_weights` holds the weight of each feature's penalty,
`classes_with_weight` leaves out classes without weight, and `rounding` certifies a solution after
it is rounded to the precision of X.
"""
