from dataclasses import replace

import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fit
from pipeline.views.caveats import caveats
from tests.conftest import HOMES, MOVIES

FITS = [Fit("films", "embedding", 2, "run", "1", False, {"fit_seconds": 1.0})]


@pytest.mark.parametrize(
    ("settings", "part", "has_validation", "said"),
    [
        (MOVIES, "test", True, ["one seed (1)", "The test examples were looked at once", "fewer than 2 times"]),
        (MOVIES, "test", False, ["There are no validation examples to choose by"]),
        (MOVIES, "validation", True, ["There are no test examples", "a little too good"]),
        (MOVIES | {"split": {"time": "day"}}, "test", True, ["unknown to every method, as it is in use, and the fig"]),
        (MOVIES | {"split": {"time": "day", "hold_out": "last"}}, "test", True, ["What others did after an example's"]),
        (HOMES, "test", True, ["an association in these examples, not a cause", "occurs nowhere in training"]),
    ],
)
def test_it_says_what_the_figures_leave_out(settings: dict, part: str, has_validation: bool, said: list[str]) -> None:
    minimum = 1 if settings is HOMES else 2
    conf = Dataset.model_validate(
        {"name": "films", "source": {"path": "films.csv"}, **settings, "vocabulary": {"min_count": minimum}}
    )
    measured = {column: [0.2, 0.4] for column in COLUMNS[settings["task"]["kind"]]}
    scores = [pl.DataFrame({"example": ["a", "b"], **measured})]
    parts = {"validation": scores if has_validation else [], "test": scores if part == "test" else []}
    told = " ".join(caveats(conf, Comparison.of(FITS, 10, conf.task, parts)))
    for words in said:
        assert words in told
    assert ("not a cause" in told) == (settings is HOMES)


def test_it_says_that_training_examples_validated() -> None:
    conf = Dataset.model_validate({"name": "films", "source": {"path": "films.csv"}, **MOVIES})
    scores = [pl.DataFrame({"example": ["a", "b"], **{column: [0.2, 0.4] for column in COLUMNS["missing_tokens"]}})]
    told = caveats(conf, Comparison.of(FITS, 10, conf.task, {"validation": scores, "test": scores}), n_borrowed=1200)
    assert any("by 1,200 training examples, because none" in one and "fitted again with them" in one for one in told)


def test_it_says_which_answers_rest_on_few_examples() -> None:
    conf = Dataset.model_validate({"name": "films", "source": {"path": "films.csv"}, **MOVIES})
    assert "woods (1)." in caveats(conf, Comparison.of(FITS, 10, conf.task, {}), few="woods (1).")


def test_it_says_which_chance_the_intervals_cover() -> None:
    conf = Dataset.model_validate({"name": "films", "source": {"path": "films.csv"}, **MOVIES, "split": {"folds": 3}})
    by_chance = [replace(FITS[0], metrics=FITS[0].metrics | {"seeds": 2.0, "seed_freedom": 3.0})]
    scores = [pl.DataFrame({"example": [f"e{i}" for i in range(20)], "recall_at_20": [0.2, 0.4] * 10})]
    told = [" ".join(caveats(conf, Comparison.of(fits, 10, conf.task, {"test": scores}))) for fits in (FITS, by_chance)]
    too_few = " ".join(caveats(conf, Comparison.of(FITS, 10, conf.task, {"test": [scores[0].head(9)]})))
    assert "fits of one seed (1), without intervals" in too_few
    assert "The intervals" not in too_few
    assert "the chance of a training is not in them: `seeds: 3` measures it" in told[0]
    assert "each fit that has chance in it was made 2 times in every fold" in told[1]


@pytest.mark.parametrize(
    ("keep", "said"), [(None, "vocabulary, unless an earlier run gave it"), (False, "vocabulary.")]
)
def test_kept_tokens_may_have_become_rare(keep: bool | None, said: str) -> None:
    settings = {**MOVIES, "vocabulary": {"min_count": 3, "keep": keep}}
    conf = Dataset.model_validate({"name": "films", "source": {"path": "films.csv"}, **settings})
    told = " ".join(caveats(conf, Comparison.of(FITS, 10, conf.task, {})))
    assert f"A token that occurs fewer than 3 times in training is not in the {said}" in told


def test_intervals_over_groups_are_called_so() -> None:
    conf = Dataset.model_validate({"name": "films", "source": {"path": "films.csv"}, **MOVIES})
    scores = pl.DataFrame({"example": [f"e{i}" for i in range(20)], "recall_at_20": [0.2, 0.4] * 10})
    alone, grouped = (
        caveats(conf, Comparison.of(FITS, 10, conf.task, {"test": [frame]}))[0]
        for frame in (scores, scores.with_columns(group=pl.Series(range(20), dtype=pl.UInt64)))
    )
    assert "The intervals are over the held-out examples;" in alone
    assert "The intervals are over groups of the held-out examples;" in grouped


COLUMNS = {"missing_tokens": ["recall_at_20", "ndcg_at_20"], "regression": ["target", "predicted"]}
