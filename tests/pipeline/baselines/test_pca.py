import numpy as np
import polars as pl
import pytest
from scipy import sparse
from scipy.sparse.linalg import ArpackError
from sklearn.decomposition import PCA

from pipeline.baselines.pca import Pca
from pipeline.baselines.principal_components import principal_components, project
from pipeline.config.dataset import Dataset
from pipeline.embedding import Problem
from pipeline.examples.example_set import ExampleSet, SparseRows
from pipeline.vocabulary.vocabulary import Vocabulary


def rows_of(
    dense_matrix: np.ndarray, target: np.ndarray | None = None, features: np.ndarray | None = None
) -> ExampleSet:
    n = len(dense_matrix)
    return ExampleSet(
        ids=pl.Series([str(i) for i in range(n)]),
        inputs=SparseRows.of(sparse.csr_matrix(dense_matrix.astype(np.float32))),
        labels=SparseRows.of(sparse.csr_matrix(dense_matrix.shape, dtype=np.float32)),
        dense=np.empty((n, 0)) if features is None else features,
        target=np.full(n, np.nan) if target is None else target,
    )


@pytest.fixture
def data() -> tuple[ExampleSet, Vocabulary]:
    random = np.random.default_rng(0)
    matrix = random.random((60, 12)) < np.linspace(0.1, 0.8, 12)
    return rows_of(matrix), Vocabulary.of({f"t{i:02d}": 100 - i for i in range(12)})


def test_the_score_is_the_reconstruction_of_the_centred_row(
    data: tuple[ExampleSet, Vocabulary], movies: Dataset
) -> None:
    """Against the textbook: centre, singular value decomposition, keep D, add the mean again."""
    rows, vocabulary = data
    fitted = Pca().fit(Problem(rows, vocabulary, movies, 3))
    x = rows.inputs.csr().toarray()
    _, _, directions = np.linalg.svd(x - x.mean(axis=0))
    expected = x.mean(axis=0) + (x - x.mean(axis=0)) @ directions[:3].T @ directions[:3]
    assert fitted.score(rows.inputs.csr(), rows.dense) == pytest.approx(expected, abs=1e-5)


def test_the_embedding_is_the_loadings(data: tuple[ExampleSet, Vocabulary], movies: Dataset) -> None:
    """At the largest D, inner products of loadings are the best approximation of the covariances at that rank."""
    rows, vocabulary = data
    matrix = Pca().fit(Problem(rows, vocabulary, movies, 11)).embedding.matrix
    x = rows.inputs.csr().toarray()
    covariance = np.cov(x, rowvar=False)
    values, vectors = np.linalg.eigh(covariance)
    best_of_rank_11 = vectors[:, 1:] * values[1:] @ vectors[:, 1:].T
    assert matrix @ matrix.T == pytest.approx(best_of_rank_11, abs=1e-4)


def test_the_head_finds_a_linear_price(homes: Dataset) -> None:
    """log price = 2 + token 0 - token 1 + area: with D = V - 1 of V linearly dependent tokens nothing is lost."""
    random = np.random.default_rng(0)
    first = random.random((200, 1)) < 0.5
    second = random.random((200, 1)) < 0.5
    matrix = np.hstack([first, ~first, second])
    area = random.normal(size=(200, 1))
    target = np.exp(2 + first - second.astype(float) + area)[:, 0]
    vocabulary = Vocabulary.of({"a": 3, "b": 2, "c": 1})
    fitted = Pca().fit(Problem(rows_of(matrix, target, area), vocabulary, homes, 2))
    predicted = fitted.score(sparse.csr_matrix(matrix.astype(np.float32)), area)
    assert predicted == pytest.approx(target, rel=1e-3)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_randomised_solver_agrees_with_the_exact_one(weighted: bool) -> None:
    """Planted: five groups of rows with tokens of their own, beside noise; both find the same directions."""
    random = np.random.default_rng(0)
    group = random.integers(5, size=600)
    matrix = random.random((600, 80)) < np.where(group[:, None] == np.arange(80) % 8, 0.5, 0.05)
    inputs = sparse.csr_matrix(matrix.astype(np.float32))
    weight = np.linspace(0.5, 2, 80) if weighted else None
    exact, ours = (principal_components(inputs, 5, 1, solver, weight) for solver in ("arpack", "randomised"))
    assert ours.variance == pytest.approx(exact.variance, rel=0.02)
    assert ours.mean == pytest.approx(exact.mean, abs=1e-6)
    assert ours.components @ ours.components.T == pytest.approx(np.eye(5), abs=1e-5)
    of_the_groups = slice(0, 4)  # four directions tell five groups apart
    cosines = np.linalg.svd(ours.components[of_the_groups] @ exact.components[of_the_groups].T)[1]
    assert cosines == pytest.approx(np.ones(4), abs=0.01)


@pytest.mark.parametrize("shape", [(600, 450), (450, 600)])
@pytest.mark.parametrize("spectrum", ["flat", "tastes", "steep", "few directions"])
def test_the_randomised_solver_explains_as_much_whatever_the_spectrum_is(spectrum: str, shape: tuple[int, int]) -> None:
    """Noise has no gap between its directions, and forty equal tastes have none where D = 16 ends."""
    random = np.random.default_rng(1)
    n, v = shape
    likes = {
        "flat": np.full(shape, 0.05),
        "tastes": np.where(random.integers(40, size=(n, 1)) == random.integers(40, size=v), 0.3, 0.01),
        "steep": np.outer(*(np.arange(1, size + 1) ** -0.4 for size in shape)),
        "few directions": np.tile(np.eye(3), (n // 3, v // 3)),
    }[spectrum]
    inputs = sparse.csr_matrix((random.random(shape) < likes).astype(np.float32))
    exact, ours = (principal_components(inputs, 16, 1, solver) for solver in ("covariance_eigh", "randomised"))
    assert ours.variance.sum() >= 0.999 * exact.variance.sum()
    assert ours.variance == pytest.approx(exact.variance, rel=0.01, abs=1e-3)
    along = project(inputs, ours.mean, ours.components).var(axis=0, ddof=1)
    assert along == pytest.approx(ours.variance, rel=1e-3, abs=1e-3)  # it explains what it says


def test_only_many_tokens_of_many_examples_are_solved_approximately() -> None:
    assert Pca().resolved(700, 9000, (2,)).solver == "arpack"
    assert Pca().resolved(350_000, 10**6, (2,)).solver == "randomised"
    assert Pca(solver="arpack").resolved(350_000, 10**6, (2,)).solver == "arpack"


@pytest.mark.parametrize("solver", ["arpack", "randomised"])
def test_weights_are_the_numbers_of_the_matrix(solver: str) -> None:
    random = np.random.default_rng(0)
    x = sparse.csr_matrix(random.random((60, 12)) * (random.random((60, 12)) < 0.4) * [9, 5, *[1] * 10])
    found = principal_components(x, 2, 0, solver)
    values, vectors = np.linalg.eigh(np.cov(x.toarray().T))
    assert found.variance == pytest.approx(values[::-1][:2], rel=1e-3)
    assert np.abs(found.components @ vectors[:, ::-1][:, :2]) == pytest.approx(np.eye(2), abs=0.03)


LISTS = (  # 125 names of computers, of 81 words: along several of their directions the names vary as much
    "23 10 10,38 10,38 10,40 10,40 10,40 73 68,74 24,74 47,75 13 13 13 12,24,37 24,36 24,36 11,22,25 11,22,25 "
    "11,22,25 11,45,53 3,11,45,53 11,45,53,77 31,37,57 31,58 26,37,76 26 21,26,46,55 21,26,55 17,18,67 17,18,34 "
    "17,18,34 17,18,34 17,18,34,47 3,17,18,34,47 32,33 32,33,60 32,33 - 9,20 9,20,44 9,20 9,20,77 19,56 19,60 19 "
    "19,67 19 4,5 4,5 4,5 4,5,44 4,5 4,5,16 4,5 4,5 0,61 0,61 0,62 0,62 0,63 0,42 0,42 0,30 0 0,43 0,43 0,15 "
    "0,15,21 0,15 0,15 0,65 0,65 0,66 0,66 27 27 27 27 27 28,29,41 23,28,29 28,29 28,29 - 1,2,9 1,2,39 1,2,39 1,2 "
    "1,2 1,2 1,2,69 1,2 1,2,72 1,2 1,2 3,6 3,6 3,6 3,6,78 3,6 3,6 6,79 6 16,48,52 50,54 50,54 3,16,35 3,16,35 "
    "3,16,35,46 3,16,35 8 8 8 8 8 8 7,14 7,14 7,14 7,12 7,12 7,12 7,12,71 23 "
)


def test_where_arpack_ends_nowhere_it_begins_anew_from_elsewhere() -> None:
    dense = np.zeros((125, 81))
    for row, said in enumerate(LISTS.split()):
        dense[row, [int(token) for token in said.split(",") if token != "-"]] = 1
    with pytest.raises(ArpackError):
        PCA(32, svd_solver="arpack", random_state=1).fit(sparse.csr_matrix(dense))
    found = principal_components(sparse.csr_matrix(dense), 32, seed=1)
    values = np.linalg.svd(dense - dense.mean(axis=0), compute_uv=False)[:32]
    assert found.variance == pytest.approx(values**2 / 124)
