import logging
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.examples.encoding import encode
from pipeline.inference.bulk import recommend_each
from pipeline.inference.file_scoring import score_file
from pipeline.records.pairs import pair_table
from pipeline.vocabulary.vocabulary import build_vocabulary


def test_an_earlier_model_reads_today_s_weights_in_its_own_unit(
    put_to_work: Callable, movies: Dataset, two_genres: pl.DataFrame, tmp_path: Path
) -> None:
    """Today's weights are larger; the same lists get what they get from a file."""
    stars = two_genres.with_columns(stars=1.0 + pl.int_range(pl.len()) % 5)
    movies = movies.model_copy(update={"weight": "stars"})
    model = put_to_work(movies, stars).model
    more = stars.with_columns(user=pl.format("new-{}", "user"), stars=pl.lit(50.0))
    today = pl.concat([stars, more])
    vocabulary = build_vocabulary(pair_table(today.lazy(), movies), movies)
    examples, log = encode(today.lazy(), vocabulary, movies), logging.getLogger("test")
    assert examples.about["typical_weight"] > 2 * model.facts["typical_weight"]
    each = recommend_each(model, examples, vocabulary, tmp_path / "each", log).frame.collect()
    stars.write_csv(tmp_path / "old.csv")
    (tmp_path / "work").mkdir()
    told = score_file(model, str(tmp_path / "old.csv"), tmp_path / "old.parquet", tmp_path / "work", log)
    scored = pl.read_parquet(told.path)
    own = each.filter(~pl.col("example").str.starts_with("new-"))
    assert_frame_equal(own.sort("example", "rank"), scored.sort("example", "rank"), rel_tol=1e-5)
    (tmp_path / "taken").mkdir()
    with pytest.raises(PipelineError, match="taken: is a folder, but the answers are a file of this name"):
        score_file(model, str(tmp_path / "old.csv"), tmp_path / "taken", tmp_path / "work", log)
    assert not any((tmp_path / "taken").iterdir())


@pytest.mark.parametrize("example", ["id", None])
def test_numbers_that_a_file_lacks_count_as_those_that_a_request_lacks(
    example: str | None,
    put_to_work: Callable,
    homes: Dataset,
    priced_words: pl.DataFrame,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    records = priced_words.with_row_index("id").with_columns(stars=1.0 + pl.int_range(pl.len()) % 5)
    homes = homes.model_copy(update={"example": example, "weight": "stars" if example else None})
    model, asked = put_to_work(homes, records, "embedding").model, records.head(5).select("id", "text")
    asked.with_columns(aera=1).write_csv(tmp_path / "new.csv")
    (tmp_path / "work").mkdir()
    caplog.set_level(logging.INFO)
    log = logging.getLogger("test")
    told = score_file(model, str(tmp_path / "new.csv"), tmp_path / "new.parquet", tmp_path / "work", log)
    scored = pl.read_parquet(told.path)
    expected = model.predict(asked.select("text"))
    assert_frame_equal(scored.select(expected.columns), expected, rel_tol=1e-6)
    assert "stars" not in scored.columns
    assert "new.csv: there is no column 'area', so all its values count as missing; did you mean 'aera'?" in caplog.text
    assert ("there is no column 'stars'" in caplog.text) == (example is not None)


def test_a_file_without_weights_gets_what_its_lists_get(
    put_to_work: Callable, movies: Dataset, two_genres: pl.DataFrame, tmp_path: Path
) -> None:
    stars = two_genres.with_columns(stars=1.0 + pl.int_range(pl.len()) % 5)
    model = put_to_work(movies.model_copy(update={"weight": "stars"}), stars).model
    (tmp_path / "new.csv").write_text("user,movie\nn,war-00\nn,war-01\n")
    (tmp_path / "work").mkdir()
    log = logging.getLogger("test")
    told = score_file(model, str(tmp_path / "new.csv"), tmp_path / "new.parquet", tmp_path / "work", log)
    scored = pl.read_parquet(told.path)["token"].head(10)
    assert scored.to_list() == model.recommend(["war-00", "war-01"]).frame["token"].to_list()


@pytest.mark.parametrize(("learned", "now"), [(None, "stars"), ("stars", "minutes")])
def test_a_model_of_other_weights_than_today_s_recommends_what_it_would_for_a_file(
    learned: str | None, now: str, put_to_work: Callable, movies: Dataset, two_genres: pl.DataFrame, tmp_path: Path
) -> None:
    """To one without weights all tokens count the same; another column is not read in the unit of the first."""
    stars = two_genres.with_columns(stars=1.0 + pl.int_range(pl.len()) % 5)
    records = stars.with_columns(minutes=60 * pl.col("stars"))
    model = put_to_work(movies.model_copy(update={"weight": learned}), records).model
    today = movies.model_copy(update={"weight": now})
    vocabulary = build_vocabulary(pair_table(records.lazy(), today), today)
    examples, log = encode(records.lazy(), vocabulary, today), logging.getLogger("test")
    each = recommend_each(model, examples, vocabulary, tmp_path / "each", log).frame.collect()
    records.write_csv(tmp_path / "same.csv")
    (tmp_path / "work").mkdir()
    told = score_file(model, str(tmp_path / "same.csv"), tmp_path / "same.parquet", tmp_path / "work", log)
    scored = pl.read_parquet(told.path)
    assert_frame_equal(each.sort("example", "rank"), scored.sort("example", "rank"), rel_tol=1e-5)
