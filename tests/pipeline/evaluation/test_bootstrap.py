import numpy as np
import polars as pl
import pytest

from pipeline.errors import PipelineError
from pipeline.evaluation.bootstrap import RESAMPLES, Difference, difference, interval, n_independent, resampled
from pipeline.evaluation.metrics import measure
from pipeline.tasks.missing_tokens import MissingTokens
from pipeline.tasks.regression import Regression

RANKING = MissingTokens(kind="missing_tokens")
NUMBER = Regression(kind="regression", target="price", log=False)


def ranked(recall: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"example": [f"e{i}" for i in range(len(recall))], "recall_at_20": recall})


def numbers(target: np.ndarray, predicted: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"example": [f"e{i}" for i in range(len(target))], "target": target, "predicted": predicted})


def compared(ours: pl.DataFrame, theirs: pl.DataFrame, name: str) -> Difference:
    task = RANKING if name.startswith("recall") else NUMBER
    drawn = resampled(task, [ours, theirs])
    values = [measure(task, frame)[name] for frame in (ours, theirs)]
    metric = next(metric for metric in task.metrics if metric.name == name)
    return difference(metric, (values[0], drawn[0][name]), (values[1], drawn[1][name]), ours.height)


def test_the_interval_of_a_mean_is_that_of_statistics_books() -> None:
    """1.96 standard errors to each side for many examples; for ten, Student's t with 9 degrees of freedom: 2.262."""
    random = np.random.default_rng(1)
    for n, t in ((4000, 1.96), (10, 2.262)):
        values = random.normal(0.5, 0.1, n)
        (drawn,) = resampled(RANKING, [ranked(values)])
        found = interval(drawn["recall_at_20"], n)
        half = t * values.std(ddof=1) / np.sqrt(n)
        assert len(drawn["recall_at_20"]) == RESAMPLES
        assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.2 * half)


def test_it_holds_the_truth_in_about_95_of_100_data_sets() -> None:
    """Planted: the true rmse is 1, and each data set has 60 examples."""
    random = np.random.default_rng(2)
    held = 0
    for _ in range(100):
        frame = numbers(random.normal(size=60), np.zeros(60))
        (drawn,) = resampled(NUMBER, [frame])
        found = interval(drawn["rmse"], 60)
        held += found.low <= 1 <= found.high
    assert 88 <= held <= 99


def test_where_the_examples_of_a_group_are_alike_groups_are_drawn() -> None:
    """Planted: 40 groups of 25 examples differ, and the examples of a group do not; the true mean is 0.5."""
    random = np.random.default_rng(4)
    held = {True: 0, False: 0}
    for _ in range(100):
        of_group = np.repeat(random.uniform(0, 1, 40), 25)
        alone = ranked(of_group)
        for knows, frame in ((True, alone.with_columns(group=np.arange(1000) // 25)), (False, alone)):
            (drawn,) = resampled(RANKING, [frame])
            found = interval(drawn["recall_at_20"], n_independent(frame))
            held[knows] += found.low <= 0.5 <= found.high
    assert 88 <= held[True] <= 99
    assert held[False] < 60


def test_a_group_for_each_example_is_no_group() -> None:
    alone = ranked(np.random.default_rng(5).uniform(0, 1, 30))
    ((drawn,), (of_groups,)) = (
        resampled(RANKING, [frame]) for frame in (alone, alone.with_columns(group=np.arange(30)))
    )
    assert drawn["recall_at_20"] == pytest.approx(of_groups["recall_at_20"], rel=1e-12)


def test_a_small_difference_on_the_same_examples_shows_though_the_two_intervals_overlap() -> None:
    random = np.random.default_rng(3)
    theirs = random.uniform(0, 1, 300)
    ours = theirs + random.normal(0.01, 0.02, 300)
    found = compared(ranked(ours), ranked(theirs), "recall_at_20")
    assert found.value == pytest.approx((ours - theirs).mean())
    assert found.low > 0
    assert found.verdict == "better"
    assert compared(ranked(theirs), ranked(ours), "recall_at_20").verdict == "worse"
    (drawn,) = resampled(RANKING, [ranked(theirs)])
    alone = interval(drawn["recall_at_20"], 300)
    assert alone.high - alone.low > 10 * (found.high - found.low)


def test_noise_shows_no_difference() -> None:
    random = np.random.default_rng(4)
    target = random.normal(size=200)
    ours, theirs = (numbers(target, target + random.normal(size=200)) for _ in range(2))
    assert compared(ours, theirs, "rmse").verdict == "no difference shown"


def test_another_way_to_add_up_shows_no_difference() -> None:
    random = np.random.default_rng(6)
    target = random.normal(size=200)
    predicted = target + random.normal(size=200)
    ours, theirs = numbers(target, predicted), numbers(target, target + (predicted - target) * (1 - 1e-13))
    found = compared(ours, theirs, "rmse")
    assert found.verdict == "no difference shown"
    assert (found.low, found.value, found.high) == (0, 0, 0)


def test_a_handful_of_examples_shows_nothing_whatever_they_say() -> None:
    found = compared(ranked(np.full(9, 0.9)), ranked(np.full(9, 0.1)), "recall_at_20")
    assert np.isnan([found.low, found.high]).all()
    assert found.verdict == "too few to tell"
    assert not found.is_likely_better
    assert found.in_words == "recall_at_20 +0.8000"


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        (1e-9, "rmse -0.00000000100 [-0.00000000100, "),
        (6.0, "rmse -6.00 [-6.00, "),
        (10_000.0, "rmse -10,000 [-10,000, "),
    ],
)
def test_a_difference_is_told_with_digits_that_matter_in_its_unit(unit: float, said: str) -> None:
    target = unit * np.linspace(1, 9, 40)
    found = compared(numbers(target, target + unit), numbers(target, target + 2 * unit), "rmse")
    assert found.in_words.startswith(said)


def test_fits_that_were_evaluated_on_different_examples_cannot_be_compared() -> None:
    with pytest.raises(PipelineError, match="evaluated on different examples"):
        resampled(RANKING, [ranked(np.ones(3)), ranked(np.ones(4))])


def test_draws_come_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = ranked(np.random.default_rng(5).random(50))
    (at_once,) = resampled(RANKING, [frame])
    monkeypatch.setattr("pipeline.evaluation.bootstrap._BLOCK", 50 * 7)
    (in_blocks,) = resampled(RANKING, [frame])
    assert in_blocks["recall_at_20"] == pytest.approx(at_once["recall_at_20"])


def test_a_block_of_few_groups_has_room_for_all_their_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.evaluation.bootstrap._BLOCK", 4_000)
    sizes, weighted = [], MissingTokens.weighted_metrics

    def noted(task: MissingTokens, scores: pl.DataFrame, weights: np.ndarray) -> dict[str, np.ndarray]:
        sizes.append(weights.size)
        return weighted(task, scores, weights)

    monkeypatch.setattr(MissingTokens, "weighted_metrics", noted)
    frame = ranked(np.random.default_rng(6).uniform(0, 1, 400)).with_columns(group=np.arange(400) % 12)
    (drawn,) = resampled(RANKING, [frame])
    assert max(sizes) <= 4_000
    assert len(drawn["recall_at_20"]) == RESAMPLES
