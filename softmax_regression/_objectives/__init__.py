"""What is minimised: a value and its derivatives as functions of one flat parameter vector.

`base.Objective` is what solvers see. `linear` holds that of `SoftmaxRegression`, its certificates
and its changes of unknowns; `network` that of `SmallMLP`.
"""
