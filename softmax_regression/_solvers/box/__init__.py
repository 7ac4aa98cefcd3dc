"""Newton's method with bounds of the parameters."""
