"""Matrices that stand for the Hessian of a linear model and can be solved with.

`factors` holds the Hessian itself, its blocks and its diagonal, each factored; `woodbury` is for
fewer rows than unknowns, `working_set` for some of the unknowns alone. `schedule` decides how exact
a Hessian is made for a step of Newton's method, `preconditioner` which one serves conjugate
gradients.
"""
