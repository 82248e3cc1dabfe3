import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.weight_scale import UNWEIGHTED, WeightScale
from pipeline.records.cleaning.cleaner import LARGEST

weights = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=50).map(np.array)


@given(weights, st.booleans(), st.sampled_from([1 / 64, 60.0, 3600.0]))
def test_what_is_learned_from_counts_1_in_the_mean_whatever_the_unit(
    values: np.ndarray, by_logarithm: bool, unit: float
) -> None:
    learned = np.arange(len(values)) % 3 != 1
    scale = WeightScale.measured(values, learned, by_logarithm)
    counts = scale.counts(values)
    assert np.isclose(counts[learned].mean(), 1)
    assert np.allclose(WeightScale.measured(values * unit, learned, by_logarithm).counts(values * unit), counts)
    assert (np.diff(counts[np.argsort(values)]) >= 0).all()


@given(weights, st.booleans())
def test_the_weights_come_back_from_what_they_count_and_the_scale_from_its_facts(
    values: np.ndarray, by_logarithm: bool
) -> None:
    scale = WeightScale.measured(values, np.ones(len(values), bool), by_logarithm)
    assert np.allclose(scale.weights(scale.counts(values)), values)
    assert WeightScale.of({"name": "movies", **scale.facts()}) == scale


def test_what_is_played_a_thousand_times_as_often_counts_much_less_than_that() -> None:
    plays = np.repeat([1.0, 1000.0], 50)
    few, many = WeightScale.measured(plays, plays > 0, by_logarithm=False).counts(plays)[[0, -1]]
    assert np.isclose(many / few, 1000)
    few, many = WeightScale.measured(plays, plays > 0, by_logarithm=True).counts(plays)[[0, -1]]
    assert np.isclose(many / few, np.log1p(1000**0.5) / np.log1p(1000**-0.5))  # 112


def test_a_weight_counts_something_however_small_it_is_and_nothing_to_learn_from_leaves_it_as_it_is() -> None:
    scale = WeightScale.measured(np.array([1e-300, 1.0]), np.array([True, True]), by_logarithm=False)
    assert np.float32(scale.counts(np.array([1e-300]))[0]) > 0
    assert WeightScale.measured(np.array([2.0, 3.0]), np.array([False, False]), by_logarithm=True) == UNWEIGHTED


@pytest.mark.parametrize("by_logarithm", [True, False])
def test_the_largest_weight_of_a_record_has_a_square_in_32_bits(by_logarithm: bool) -> None:
    scale = WeightScale.measured(np.array([1.0, 2.0]), np.array([True, True]), by_logarithm)
    assert np.isfinite(np.square(scale.counts(np.array([LARGEST])).astype(np.float32))).all()


def test_where_no_scale_is_told_a_token_counts_its_weight_and_an_earlier_model_keeps_its_own() -> None:
    assert WeightScale.of({}) == UNWEIGHTED
    assert WeightScale.of({"mean_weight": 2.0}).counts(np.array([3.0])) == 1.5
