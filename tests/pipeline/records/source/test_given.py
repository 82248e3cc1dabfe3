from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.records.ingest import ingest


@pytest.fixture
def given(movies: Dataset, tmp_path: Path) -> Callable[..., pl.DataFrame]:
    source = movies.source.model_copy(update={"path": None, "asset": "shop/loans"})
    conf = movies.model_copy(update={"source": source})
    return lambda value: ingest(conf, tmp_path, tmp_path / "records", given=value).frame.collect()


@pytest.mark.parametrize("kind", ["frame", "lazy", "pandas", "arrow", "path", "paths"])
def test_a_table_that_is_given_is_read_as_its_file_would_be(
    kind: str, two_genres: pl.DataFrame, tmp_path: Path, given: Callable[..., pl.DataFrame]
) -> None:
    file = tmp_path / "given.parquet"
    two_genres.write_parquet(file)
    values: dict[str, Any] = {
        "frame": two_genres,
        "lazy": pl.scan_parquet(file),
        "pandas": two_genres.to_pandas().set_index("user", drop=False),
        "arrow": two_genres.to_arrow(),
        "path": file,
        "paths": [str(file)],
    }
    assert given(values[kind]).equals(two_genres)


def test_dirt_in_it_is_set_aside_like_any_other(two_genres: pl.DataFrame, movies: Dataset, tmp_path: Path) -> None:
    source = movies.source.model_copy(update={"path": None, "asset": "loans"})
    dirty = pl.concat([two_genres, pl.DataFrame({"user": [None], "movie": ["war-01"], "title": ["War"]})])
    records = ingest(movies.model_copy(update={"source": source}), tmp_path, tmp_path / "records", given=dirty)
    assert (records.counts.read, records.counts.quarantined) == (len(two_genres) + 1, 1)
    assert records.quarantine["file"].to_list() == ["loans"]
    assert list(records.checksums) == ["loans"]


def test_categories_that_are_given_are_texts(two_genres: pl.DataFrame, given: Callable[..., pl.DataFrame]) -> None:
    assert given(two_genres.to_pandas().astype("category")).equals(two_genres)


@pytest.mark.parametrize(("value", "said"), [(None, "has no value"), (5, "gives a int")])
def test_what_is_no_table_is_told(value: Any, said: str, given: Callable[..., pl.DataFrame]) -> None:
    with pytest.raises(PipelineError, match=f"shop/loans: {said}"):
        given(value)
