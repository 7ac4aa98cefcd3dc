"""Settings that must be in place before SciPy is first imported."""

import os

# scikit-learn checks that array API dispatch leaves NumPy input alone, and skips it without this.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
