"""Planted chance: whoever differs by the seed alone must not look different."""

import numpy as np
import polars as pl
import pytest

from pipeline.evaluation.bootstrap import difference, resampled
from pipeline.evaluation.metrics import measure
from pipeline.evaluation.seeds import SeedChance
from pipeline.tasks.missing_tokens import MissingTokens

TASK = MissingTokens(kind="missing_tokens")
RECALL = TASK.metrics[0]
FOLDS, OF_FOLD = 5, 80
OF_A_SEED = 0.02
"""Standard deviation of a fold's metric between seeds: more than 400 examples that are alike would show."""


def test_the_deviation_of_a_metric_over_all_folds() -> None:
    """By hand: variances of 2 and 8 within folds, so 5 for a fold, and 5 / 2 for the mean of two."""
    found = SeedChance.of([[{"recall": 1.0}, {"recall": 3.0}], [{"recall": 10.0}, {"recall": 14.0}]])
    assert found == SeedChance({"recall": pytest.approx(2.5**0.5)}, seeds=2, freedom=2)
    assert SeedChance.from_metrics(found.as_metrics() | {"test_recall": 0.4}) == found


def test_one_seed_says_nothing_and_adds_nothing() -> None:
    one = SeedChance.of([[{"recall": 1.0}], [{"recall": 2.0}]])
    drawn = {"recall": np.arange(3.0)}
    assert one == SeedChance() == SeedChance.from_metrics({"fit_seconds": 1.0})
    assert one.as_metrics() == {}
    assert one.widened(drawn, "pca D=8") == drawn


def test_the_same_fit_is_widened_the_same_way_and_two_fits_independently() -> None:
    chance, drawn = SeedChance({"recall": 1.0}, seeds=2, freedom=1000), {"recall": np.zeros(20_000)}
    ours, theirs = (chance.widened(drawn, name)["recall"] for name in ("embedding D=8", "embedding D=32"))
    assert (ours == chance.widened(drawn, "embedding D=8")["recall"]).all()
    assert np.std(ours) == pytest.approx(1, rel=0.03)
    assert np.std(ours - theirs) == pytest.approx(2**0.5, rel=0.03)


@pytest.mark.parametrize("covers_seeds", [True, False])
def test_two_fits_that_differ_by_their_seed_alone_are_told_apart_in_at_most_one_of_twenty(covers_seeds: bool) -> None:
    """As often as the level allows; without the chance of the seed, far more often."""
    random = np.random.default_rng(0)
    apart = 0
    for data in range(100):
        easy = random.uniform(0.3, 0.7, (FOLDS, OF_FOLD))  # what examples have in common for both fits

        def fits() -> tuple[pl.DataFrame, SeedChance]:
            of_seeds = easy + random.normal(0, OF_A_SEED, (2, FOLDS, 1))  # noqa: B023 - used before the next one
            frames = [pl.DataFrame({"recall_at_20": fold}) for fold in of_seeds.reshape(-1, OF_FOLD)]
            metrics = [{"recall_at_20": frame["recall_at_20"].mean()} for frame in frames]
            whole = pl.DataFrame({"example": np.arange(FOLDS * OF_FOLD), "recall_at_20": of_seeds[0].ravel()})
            return whole, SeedChance.of([metrics[i::FOLDS] for i in range(FOLDS)])

        both = [fits(), fits()]
        drawn = resampled(TASK, [frame for frame, _ in both], seed=data)
        if covers_seeds:
            drawn = [
                chance.widened(of, f"{data} {i}") for i, ((_, chance), of) in enumerate(zip(both, drawn, strict=True))
            ]
        pairs = [
            (measure(TASK, frame)[RECALL.name], of[RECALL.name]) for (frame, _), of in zip(both, drawn, strict=True)
        ]
        apart += difference(RECALL, pairs[0], pairs[1], FOLDS * OF_FOLD).verdict != "no difference shown"
    assert apart <= 8 if covers_seeds else apart > 50
