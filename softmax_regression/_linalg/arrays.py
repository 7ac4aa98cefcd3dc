"""Types of arrays that all rooms use."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Rows = slice | NDArray[np.intp]  # Rows of a matrix: a range, or their positions.
