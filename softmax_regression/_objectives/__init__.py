"""Objectives: functions of one flat parameter vector, with their derivatives.

`base` holds what objectives have in common; `_solvers/protocols.py` lists what solvers require of
them. `linear` holds the objective of `SoftmaxRegression`, its certificates and its changes of
unknowns, and `network` holds the objective of `SmallMLP`.
"""
