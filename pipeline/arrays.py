"""The type of NumPy's arrays; their shapes and dtypes stand beside them, in docstrings and comments."""

from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
