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
    x = np.random.default_rng(0).uniform(-1, 1, (600, 1))
    features = DenseScale.fit(x).forward(x)
    assert features.shape == (600, 1 + 16)
    y = np.abs(x[:, 0])
    assert left(features, y) < 0.1 * left(features[:, :1], y)


@pytest.mark.parametrize(
    ("n", "f", "pieces"), [(31, 1, 0), (32, 1, 2), (600, 1, 16), (2_304, 1, 48), (7_000, 6, 24), (50_000, 10, 25)]
)
def test_the_more_examples_and_the_fewer_features_the_finer_the_pieces(n: int, f: int, pieces: int) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (n, f))
    features = DenseScale.fit(x).forward(x)
    assert features.shape == (n, f + f * pieces)
    if pieces == 48:
        wave = np.sin(30 * x[:, 0])  # goes up or down 19 times
        assert left(features, wave) < 0.2 * left(DenseScale.fit(x[:600]).forward(x), wave)


def left(features: np.ndarray, y: np.ndarray) -> float:
    """The standard deviation of what a linear function of the features leaves of `y`."""
    with_constant = np.column_stack([np.ones(len(y)), features])
    return float((y - with_constant @ np.linalg.lstsq(with_constant, y, rcond=None)[0]).std())


@pytest.mark.parametrize("dense", [np.empty((5, 0)), np.full((5, 1), np.nan), np.full((400, 2), 3.0)])
def test_nothing_to_learn_from_gives_finite_numbers(dense: np.ndarray) -> None:
    scale = DenseScale.fit(dense)
    assert np.isfinite(scale.forward(dense)).all()
    again = DenseScale.of(scale.weights)
    assert (again.forward(dense) == scale.forward(dense)).all()
