"""Split conformal prediction: an interval that covers a new example with a given probability, whatever the fit."""

import math

import numpy as np
import numpy.typing as npt


def half_width(errors: npt.NDArray[np.float64], coverage: float) -> float | None:
    """Half the width of the interval: a quantile of the errors of held-out examples (Vovk, 2005; Lei et al., 2018).

        the ceil((n + 1) x coverage)-th smallest of n errors

    If a new example is drawn like the held-out ones, its error is at most this with at least that probability.

    Args:
        errors: (n,) absolute errors of examples from which the fit has not learned.
        coverage: between 0 and 1.

    Returns:
        None if there are too few errors to say.

    >>> half_width(np.array([0.4, 0.1, 0.3, 0.2]), 0.8), half_width(np.array([0.4, 0.1]), 0.8)
    (0.4, None)
    """
    rank = math.ceil((len(errors) + 1) * coverage - 1e-9)
    return float(np.sort(errors)[rank - 1]) if 0 < rank <= len(errors) else None


def covered(errors: npt.NDArray[np.float64], half: float) -> float:
    """Share of examples whose error is at most half the width of the interval.

    >>> covered(np.array([0.1, 0.5]), 0.4)
    0.5
    """
    return float((errors <= half).mean())
