"""Two who decide about one model at once."""

from concurrent.futures import Future, ThreadPoolExecutor, wait

import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.experiment.model_registry import Version
from tests.pipeline.experiment.shop import Shop

pytestmark = pytest.mark.slow(20)


def test_a_choice_during_a_contest_waits_for_its_end(shop: Shop, films: Dataset, two_genres: pl.DataFrame) -> None:
    tokens = films.tokens[0].model_copy(update={"about": ("title",)})  # for these a contest reads the records
    films = films.model_copy(update={"tokens": (tokens,)})
    shop.contest(films, two_genres, "popularity")
    shop.contest(films, two_genres, "pca", "popularity")
    chosen: list[Future[Version]] = []

    with ThreadPoolExecutor(1) as pool:

        def choose(records: pl.DataFrame) -> pl.DataFrame:
            """A person chooses while the contest goes on: it has looked which version answers."""
            if not chosen:
                chosen.append(pool.submit(shop.registry.pin, "1"))
                wait(chosen, timeout=5)
            return records

        made = shop.contest(films, two_genres, "pca", "popularity", meanwhile=choose)
    assert made.said == "version 2, pca D=2, stays champion: it is still the best."
    assert chosen[0].result().number == "1"
    champion = shop.registry.champion()
    assert champion is not None
    assert champion.number == "1"
    assert shop.registry.is_chosen_by_hand(champion)
