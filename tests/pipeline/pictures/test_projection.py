import numpy as np
import pytest

from pipeline.embedding import Embedding
from pipeline.pictures.projection import View, ends, neighbourhoods, plane, space
from pipeline.vocabulary.vocabulary import Vocabulary


def embedding(matrix: np.ndarray) -> Embedding:
    return Embedding(Vocabulary.of({f"t{i:03d}": 1000 - i for i in range(len(matrix))}), matrix.astype(np.float32))


@pytest.fixture
def clusters() -> np.ndarray:
    """120 tokens in three tight groups in 8 dimensions: token i is in group i % 3."""
    random = np.random.default_rng(0)
    centres = 5 * np.eye(8)[:3]
    return np.stack([centres[i % 3] + random.normal(0, 0.3, 8) for i in range(120)])


def test_two_dimensions_are_shown_as_they_are_and_three_too() -> None:
    random = np.random.default_rng(0)
    for d, view in ((2, plane), (3, space)):
        matrix = random.normal(size=(9, d)).astype(np.float32)
        assert np.array_equal(view(embedding(matrix)).points, matrix)


def test_principal_axes_keep_what_varies_most() -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(200, 6)) * np.array([0.1, 9, 0.1, 3, 0.1, 1])
    flat, deep = plane(embedding(matrix)), space(embedding(matrix))
    for axis, column in enumerate((1, 3)):
        assert abs(np.corrcoef(flat.points[:, axis], matrix[:, column])[0, 1]) > 0.99
    assert deep.points.shape == (200, 3)
    assert np.allclose(deep.points[:, :2], flat.points)
    assert flat.axes[0].startswith("principal axis 1 of 6 dimensions (8")


def test_only_the_most_frequent_tokens_are_shown(clusters: np.ndarray) -> None:
    assert plane(embedding(clusters), n=50).points.shape == (50, 2)


def test_neighbours_stay_neighbours_on_the_map(clusters: np.ndarray) -> None:
    view = neighbourhoods(embedding(clusters), seed=1)
    assert view is not None
    distance = np.linalg.norm(view.points[:, None] - view.points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1)[:, :10]
    assert (nearest % 3 == np.arange(120)[:, None] % 3).all()
    assert not view.has_axes


def test_a_plane_or_a_handful_of_tokens_needs_no_such_map(clusters: np.ndarray) -> None:
    assert neighbourhoods(embedding(clusters[:, :2]), seed=1) is None
    assert neighbourhoods(embedding(clusters[:20]), seed=1) is None


def test_the_ends_of_an_axis_are_its_outermost_tokens() -> None:
    view = plane(embedding(np.array([[0, 5], [3, 1], [-2, 0], [1, 9]])))
    assert ends(view, ["a", "b", "c", "d"], k=2) == [(["c", "a"], ["b", "d"]), (["c", "b"], ["d", "a"])]


def test_the_ends_of_an_axis_are_frequent_tokens() -> None:
    view = View("plane", np.array([[0.0, 0], [1, 0], [2, 0], [3, 0], [9, 0], [-9, 0], [8, 0], [-8, 0]]), ("x", "y"))
    assert ends(view, list("abcdefgh"), k=1)[0] == (["a"], ["d"])
