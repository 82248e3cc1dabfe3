import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipeline.baselines.ease import Ease, FittedEase
from pipeline.config.dataset import Dataset
from pipeline.embedding import Problem
from pipeline.evaluation.selection import SHARE, first_of_the_best, preferred, tuned
from tests.conftest import encoded_from

ERROR = 0.25
"""`SHARE` of it is 2.5 steps of the scores below, so that no difference of two scores lies at the limit."""
SCORES = st.lists(st.integers(-20, 20).map(lambda step: step / 1000), min_size=1, max_size=12)


@given(scores=SCORES, data=st.data())
def test_the_last_bits_of_scores_choose_nothing(scores: list[float], data: st.DataObject) -> None:
    last_bits = st.lists(st.integers(-100, 100), min_size=len(scores), max_size=len(scores))
    perturbed = np.array(scores) + np.array(data.draw(last_bits)) * 2**-52
    errors = np.full(len(scores), ERROR)
    assert first_of_the_best(perturbed, errors) == first_of_the_best(scores, errors)


@given(scores=SCORES)
def test_what_is_kept_is_hardly_worse_than_the_best_and_comes_before_what_is_as_good(scores: list[float]) -> None:
    kept = first_of_the_best(scores, [ERROR] * len(scores))
    assert scores[kept] >= max(scores) - SHARE * ERROR
    assert scores.index(scores[kept]) == kept


def test_of_two_candidates_that_only_rounding_tells_apart_the_first_is_kept(
    movies: Dataset, two_genres: pl.DataFrame
) -> None:
    vocabulary, examples = encoded_from(two_genres, movies)
    for first, second in ((100.0, 100.0 + 1e-10), (100.0 + 1e-10, 100.0)):
        problem = Problem(examples.training(), vocabulary, movies, validation=examples.held_out("validation"))
        fitted = Ease(regularisation=(first, second)).fit(problem)
        assert fitted.chosen == {"regularisation": first}


def test_a_candidate_that_is_better_is_kept_wherever_it_stands(movies: Dataset, two_genres: pl.DataFrame) -> None:
    vocabulary, examples = encoded_from(two_genres, movies)
    problem = Problem(examples.training(), vocabulary, movies, validation=examples.held_out("validation"))

    def fit(regularisation: float) -> FittedEase:
        return Ease(regularisation=regularisation).fit(problem)

    for order in ((1e-3, 100.0), (100.0, 1e-3)):
        kept = tuned(fit, [{"regularisation": value} for value in order], problem)
        assert kept.chosen == {"regularisation": 100.0}
        assert preferred(map(fit, order), problem).chosen == kept.chosen


def test_a_score_that_is_no_number_is_never_kept() -> None:
    assert first_of_the_best([-np.inf, -1.0, -0.5], [0.1] * 3) == 2
    assert first_of_the_best([np.nan, -1.0, np.inf], [np.nan, 0.1, 0.1]) == 1
