"""Newton's method, whose steps come from a Cholesky factor or from conjugate gradients."""
