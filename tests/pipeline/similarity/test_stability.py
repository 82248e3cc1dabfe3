import numpy as np
import pytest

from pipeline.similarity.nearest import nearest_tokens
from pipeline.similarity.stability import by_chance, stability_of


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


def test_what_chance_gives_is_told_where_it_is_much() -> None:
    """Spaces that have nothing to do with each other agree on what the sentence says."""
    random = np.random.default_rng(1)
    for n_tokens, share in ((8, 1.0), (41, 0.25), (101, 0.1), (1000, 0.01)):
        drawn = [nearest_tokens(random.normal(size=(n_tokens, 5)), np.ones(n_tokens)) for _ in range(21)]
        assert stability_of(drawn[0], drawn[1:]).scores.mean() == pytest.approx(share, abs=0.02)
        said = f" Neighbours drawn at random would agree on {share:.0%}."
        assert by_chance(n_tokens) == (said if n_tokens < 1000 else "")


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
