"""Proximal Newton for penalties that make zeros, and its quadratic subproblems."""
