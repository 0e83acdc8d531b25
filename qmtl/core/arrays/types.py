"""Types of numpy arrays that several packages share. Import it under TYPE_CHECKING only, else numpy comes along."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Floats = NDArray[np.float64]
