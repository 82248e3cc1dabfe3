from pathlib import Path

import numpy as np
import pytest

from pipeline.similarity import replica_places


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_an_embedding_that_is_only_moved_turned_and_scaled_lies_on_the_other(dimension: int) -> None:
    random = np.random.default_rng(dimension)
    matrix = random.normal(size=(40, dimension))
    turning = np.linalg.qr(random.normal(size=(dimension, dimension)))[0]
    found = replica_places.turned_onto(matrix, 3 * matrix @ turning + 7, np.ones(40, bool))
    np.testing.assert_allclose(found, matrix, atol=1e-9)


def test_tokens_that_a_replica_has_not_learned_lie_nowhere_and_do_not_turn_it() -> None:
    matrix = np.random.default_rng(0).normal(size=(40, 3))
    other, known = -matrix.copy(), np.arange(40) % 4 > 0
    other[~known] = 1e6
    found = replica_places.turned_onto(matrix, other, known)
    np.testing.assert_allclose(found[known], matrix[known], atol=1e-9)
    assert np.isnan(found[~known]).all()


def test_a_replica_that_knows_nothing_of_the_tokens_lies_on_their_middle() -> None:
    matrix = np.random.default_rng(0).normal(size=(40, 3))
    np.testing.assert_allclose(
        replica_places.turned_onto(matrix, np.zeros((40, 3)), np.ones(40, bool)), matrix.mean(axis=0) + 0 * matrix
    )


def test_writing_and_reading(tmp_path: Path) -> None:
    written = np.random.default_rng(0).normal(size=(6, 10, 2))
    written[0, 3] = np.nan
    replica_places.save(written, tmp_path)
    np.testing.assert_allclose(replica_places.load(tmp_path / replica_places.FILE), written, rtol=1e-3)
