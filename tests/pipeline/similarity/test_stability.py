import numpy as np
import pytest

from pipeline.similarity.nearest import nearest_tokens
from pipeline.similarity.stability import stability_of


def test_by_hand() -> None:
    """Two pairs of halves: token 0 keeps one of two nearest in the first pair, and both in the second."""
    fit = np.array([[1, 2], [0, 2], [0, 1], [0, 1]])
    replicas = [
        np.array([[1, 3], [0, 2], [1, 3], [-1, -1]]),
        np.array([[2, 1], [0, 2], [0, 1], [-1, -1]]),
        np.array([[1, 2], [0, 2], [0, 3], [0, 1]]),
        np.array([[2, 1], [2, 0], [0, 1], [1, 2]]),
    ]
    found = stability_of(fit, replicas)
    assert found.scores.tolist() == [0.75, 1, 0.5, 0.25]
    assert found.support.tolist() == [[4, 3], [4, 4], [3, 3], [1, 2]]
    assert found.replicas == 4
    assert found.support_of(0, [2, 3]) == [3, None]


def test_an_odd_replica_supports_but_makes_no_pair() -> None:
    fit = np.array([[1], [0], [0]])
    found = stability_of(fit, [fit, fit, np.array([[2], [2], [1]])])
    assert found.scores.tolist() == [1, 1, 1]
    assert found.support.ravel().tolist() == [2, 2, 2]


def test_stability_orders_tokens_as_the_noise_does_and_what_all_support_is_true() -> None:
    """400 tokens at places of their own; the halves see each with the noise of its number of examples."""
    random = np.random.default_rng(0)
    truth = random.normal(size=(400, 6))
    noise, often = np.geomspace(0.02, 2, 400), np.full(400, 1000)

    def seen(share: float) -> np.ndarray:
        return nearest_tokens(truth + noise[:, None] / np.sqrt(share) * random.normal(size=truth.shape), often)

    found = stability_of(seen(1), [seen(0.5) for _ in range(6)])
    order, by_noise = found.scores.argsort().argsort(), (-noise).argsort().argsort()
    assert np.corrcoef(order, by_noise)[0, 1] > 0.8
    true = nearest_tokens(truth, often)
    is_true = np.array([[other in row for other in some] for row, some in zip(true, found.nearest, strict=True)])
    shares = [is_true[found.support == count].mean() for count in range(7)]
    assert shares[6] > 0.9
    assert shares == pytest.approx(sorted(shares), abs=0.05)
