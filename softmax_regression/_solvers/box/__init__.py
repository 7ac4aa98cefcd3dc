"""Newton steps within bounds of the parameters."""
