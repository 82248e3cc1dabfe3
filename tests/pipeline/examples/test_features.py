import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.features import DenseScale, TargetScale


@given(st.lists(st.floats(0.01, 1e6), min_size=1), st.booleans())
def test_the_target_comes_back(target: list[float], log: bool) -> None:
    scale = TargetScale.fit(np.array(target), log)
    assert scale.inverse(scale.forward(np.array(target))) == pytest.approx(target, rel=1e-6)
    assert TargetScale.of(scale.weights) == scale


@pytest.mark.parametrize("log", [True, False])
def test_a_number_is_finite_however_far_a_fit_is_carried(log: bool) -> None:
    numbers = TargetScale.fit(np.array([1.0, 20.0, 300.0]), log).inverse(np.array([-1e12, -1e3, 1e3, 1e12]))
    assert np.isfinite(numbers).all()
    assert (np.diff(numbers) >= 0).all()
    if log:
        assert numbers[[0, -1]] == pytest.approx([1e-100, 1e100])


def test_features_have_mean_0_and_deviation_1_and_skewed_ones_are_logged() -> None:
    random = np.random.default_rng(0)
    dense = np.column_stack([random.normal(50, 10, 500), np.exp(random.normal(10, 2, 500))])
    scale = DenseScale.fit(dense)
    scaled = scale.forward(dense)[:, :2]
    assert scale.log.tolist() == [False, True]
    assert scaled.mean(axis=0) == pytest.approx([0, 0], abs=1e-2)
    assert scaled.std(axis=0) == pytest.approx([1, 1], abs=1e-2)


def test_a_missing_feature_is_at_the_median_and_an_outlier_is_cut() -> None:
    scale = DenseScale.fit(np.array([[1.0], [2.0], [3.0], [np.nan]]))
    assert scale.forward(np.array([[np.nan]])).tolist() == scale.forward(np.array([[2.0]])).tolist()
    assert scale.forward(np.array([[1e9]])).tolist() == [[5.0]]


def test_a_line_on_the_pieces_can_bend_where_one_on_the_feature_cannot() -> None:
    """|x| is not linear in x, but it is linear in pieces of x: each piece has its own slope."""
    x = np.random.default_rng(0).uniform(-1, 1, (2000, 1))
    features = DenseScale.fit(x).forward(x)
    assert features.shape == (2000, 1 + 16)
    y = np.abs(x[:, 0])
    with_constant = np.column_stack([np.ones(2000), features])
    residual = y - with_constant @ np.linalg.lstsq(with_constant, y, rcond=None)[0]
    straight = np.column_stack([np.ones(2000), features[:, :1]])
    residual_of_line = y - straight @ np.linalg.lstsq(straight, y, rcond=None)[0]
    assert residual.std() < 0.1 * residual_of_line.std()


@pytest.mark.parametrize("dense", [np.empty((5, 0)), np.full((5, 1), np.nan), np.full((400, 2), 3.0)])
def test_nothing_to_learn_from_gives_finite_numbers(dense: np.ndarray) -> None:
    scale = DenseScale.fit(dense)
    assert np.isfinite(scale.forward(dense)).all()
    again = DenseScale.of(scale.weights)
    assert (again.forward(dense) == scale.forward(dense)).all()
