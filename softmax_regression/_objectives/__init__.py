"""What is minimised: a value and its derivatives as functions of one flat parameter vector.

`base` holds what objectives have in common; what solvers ask of them is written down in
`_solvers/protocols.py`. `linear` holds the objective of `SoftmaxRegression`, its certificates and
its changes of unknowns; `network` that of `SmallMLP`.
"""
