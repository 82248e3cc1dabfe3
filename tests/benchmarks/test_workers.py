"""What the command says of several seeds."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.workers import compared


@pytest.mark.parametrize(
    ("off", "verdict"), [(0.0, "no difference shown"), (0.01, "better"), (-0.01, "worse")], ids=str
)
def test_the_interval_is_that_of_paired_seeds(off: float, verdict: str) -> None:
    random = np.random.default_rng(1)
    first = random.normal(0.18, 0.01, 8)
    found = first + random.normal(off, 0.001, 8)
    interval = stats.ttest_rel(found, first).confidence_interval()
    assert compared(list(found), list(first)) == (
        f"{found.mean():.4f} (sd {found.std(ddof=1):.4f})  {(found - first).mean():+.4f} "
        f"({interval.low:+.4f} to {interval.high:+.4f}), {verdict}"
    )


def test_of_the_first_training_there_is_no_difference_to_tell() -> None:
    assert compared([0.25, 0.75], [0.25, 0.75]) == "0.5000 (sd 0.3536)"


def test_one_seed_has_no_interval() -> None:
    assert compared([0.5], [0.25]) == "0.5000  +0.2500"
