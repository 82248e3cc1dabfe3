from typing import Any

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


@pytest.mark.parametrize("n_failures", [1, 99])
def test_where_arpack_ends_nowhere_it_begins_anew_or_another_solver_does(
    n_failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends nowhere where rows vary as much along several directions; from which starts, the processor decides."""
    x = sparse.random(60, 20, 0.3, random_state=np.random.default_rng(0), format="csr")
    starts, fit = [], PCA.fit

    def ends_nowhere(self: PCA, rows: Any) -> PCA:
        starts.append(self.random_state)
        if len(starts) <= n_failures:
            raise ArpackError(-9999)
        return fit(self, rows)

    whole = np.linalg.svd(x.toarray() - x.toarray().mean(axis=0), compute_uv=False)[:4]
    monkeypatch.setattr(PCA, "fit", ends_nowhere)
    found = principal_components(x, 4, seed=1)
    assert starts[:2] == [1, 2]
    assert found.variance == pytest.approx(whole**2 / 59, rel=1e-3)
