"""Proximal Newton for lasso and group lasso penalties, and its quadratic subproblems."""
