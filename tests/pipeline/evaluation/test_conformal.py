import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.conformal import covered, half_width


def test_a_new_example_is_covered_as_often_as_asked() -> None:
    random = np.random.default_rng(0)
    shares = []
    for _ in range(400):
        errors = np.abs(random.standard_cauchy(99))  # whatever the errors are
        half = half_width(errors, 0.9)
        assert half is not None
        shares.append(covered(np.abs(random.standard_cauchy(200)), half))
    assert np.mean(shares) == pytest.approx(0.9, abs=3 * np.std(shares) / 20)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 0.99))
def test_it_covers_at_least_its_share_of_the_errors_that_it_was_made_of(errors: list[float], coverage: float) -> None:
    half = half_width(np.array(errors), coverage)
    if half is None:
        assert (len(errors) + 1) * coverage > len(errors)
    else:
        assert covered(np.array(errors), half) >= coverage * (1 - 1e-9)
