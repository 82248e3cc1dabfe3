import hashlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.config.records import Split
from pipeline.errors import PipelineError
from pipeline.examples.encoding import encode
from pipeline.records import ingest as reading
from pipeline.records.cleaning.counts import Counts
from pipeline.records.ingest import ingest
from pipeline.records.pairs import pair_table as module
from pipeline.records.records import Records
from pipeline.records.source import tables
from pipeline.records.tokens.value import ValueTokens
from pipeline.vocabulary.counted import Counted, count


def test_records_come_as_they_are_with_their_number_and_checksum(
    minimal: dict[str, Any], write_conf: Callable[..., Path], tmp_path: Path
) -> None:
    conf = load(path := write_conf("films", minimal))
    text = "movie,year\n007,1962\nAlien,\n"
    (path.parent / "records.csv").write_text(text)
    read = ingest(conf, path.parent, tmp_path / "read")
    assert list(read.checksums.values()) == [hashlib.sha256(text.encode()).hexdigest()[:16]]
    assert (len(read), read.frame.collect().rows()) == (2, [("007", "1962"), ("Alien", None)])
    (tmp_path / "kept").mkdir()
    read.save(tmp_path / "kept")
    assert not (tmp_path / "read").exists()
    kept = Records.load(tmp_path / "kept")
    assert kept.frame.collect().height == 2
    assert kept.version != ingest(conf, path.parent, tmp_path / "again").version


def test_a_source_that_is_refused_leaves_nothing(
    minimal: dict[str, Any], write_conf: Callable[..., Path], tmp_path: Path
) -> None:
    conf = load(path := write_conf("films", minimal))
    (path.parent / "records.csv").write_text("film\nAlien\n")
    with pytest.raises(PipelineError, match="there is no column 'movie'"):
        ingest(conf, path.parent, tmp_path / "read")
    assert not (tmp_path / "read").exists()


def test_bad_lines_are_set_aside_with_their_place_and_text_until_they_are_too_many(
    minimal: dict[str, Any], write_conf: Callable[..., Path], tmp_path: Path
) -> None:
    conf = load(path := write_conf("films", minimal))
    rows = "".join(f"m{i},1\n" for i in range(200_000))
    (path.parent / "records.csv").write_text(f"movie,n\n{rows}a,b,c\n,3\n")
    records = ingest(conf, path.parent, tmp_path / "read")
    assert records.counts == Counts(read=200_002, used=200_000, quarantined=2)
    name = str(path.parent / "records.csv")
    assert records.quarantine.rows() == [
        (name, 200_002, None, "has more values than columns", "a,b,c"),
        (name, 200_003, "movie", "is missing", ",3"),
    ]
    (path.parent / "records.csv").write_text("movie,n\nm1,1\na,b,c\n,3\nd,e,f\n")
    sentence = (
        r"records.csv: 3 of 4 records cannot be used, more than the 1.0% that `source.max_bad_share` allows: "
        r"2 x has more values than columns \(first .*records.csv:3\); 1 x movie: is missing \(first .*records.csv:4\)"
    )
    with pytest.raises(PipelineError, match=sentence):
        ingest(conf, path.parent, tmp_path / "refused")
    assert not (tmp_path / "refused").exists()


def test_the_table_of_pairs_is_used_again_for_its_own_records_and_conf_only(
    movies: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf_folder = tmp_path / "conf"
    records = ingest(movies, conf_folder, tmp_path / "read")
    (tmp_path / "kept").mkdir()
    count(records, movies).save(tmp_path / "kept")
    counted = Counted.load(tmp_path / "kept")
    again = ingest(movies, conf_folder, tmp_path / "again")
    own, other = counted.table_of(records, movies), counted.table_of(again, movies)
    assert own is counted.table
    assert other is not counted.table
    by_column = movies.model_copy(update={"split": Split(column="title")})
    assert counted.table_of(records, by_column) is not counted.table
    encoded = [encode(records.frame, counted.vocabulary, movies, table) for table in (own, other, None)]
    assert len({examples.fingerprint for examples in encoded}) == 1
    monkeypatch.setattr(module, "_BLOCK", 100)
    assert encode(records.frame, counted.vocabulary, movies, own).fingerprint == encoded[0].fingerprint
    monkeypatch.setattr(ValueTokens, "rows_at_once", 100)
    assert encode(records.frame, counted.vocabulary, movies).fingerprint == encoded[0].fingerprint


@given(
    rows=st.lists(st.tuples(st.text("abcé✓", min_size=1), st.sampled_from(["", "a", "b"])), min_size=1, max_size=60),
    n=st.integers(1, 7),
)
def test_records_of_many_files_come_in_the_order_of_the_source(rows: list[tuple[str, str]], n: int) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patched:
        folder = Path(name)
        patched.setattr(reading, "ROWS", n)
        patched.setattr(tables, "ROWS", n)
        patched.setattr(tables, "_SOME", 1)
        frame = pl.DataFrame(rows, schema={"movie": pl.String, "kind": pl.String}, orient="row")
        frame.write_parquet(folder / "records.parquet")
        text = {"description": "Any.", "source": {"path": "records.parquet"}, "dimensions": [2]}
        text |= {"tokens": [{"kind": "value", "columns": "movie"}], "task": {"kind": "missing_tokens"}}
        conf = Dataset.model_validate({"name": "any", **text})
        records = ingest(conf, folder, folder / "read")
        assert len(records) == len(rows)
        assert records.frame.collect().equals(frame)


def test_files_of_long_records_are_short(
    minimal: dict[str, Any], write_conf: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few files are in memory at once, so that the size of a record must not decide how much that is."""
    monkeypatch.setattr(reading, "BYTES", 100_000)
    monkeypatch.setattr(tables, "BYTES", 100_000)
    monkeypatch.setattr(tables, "_SOME", 10)
    frame = pl.DataFrame(
        {"movie": [f"{i:04d}" * 250 for i in range(500)], "big": pl.Series([2**100] * 500, dtype=pl.Int128)}
    )
    conf = load(path := write_conf("films", {**minimal, "source": {"path": "films.parquet"}}))
    frame.write_parquet(path.parent / "films.parquet")
    records = ingest(conf, path.parent, tmp_path / "read")
    sizes = [pl.read_parquet(file).estimated_size() for file in records.folder.glob("records-*.parquet")]
    assert len(sizes) > 4
    assert max(sizes) < 150_000
    assert records.frame.collect().equals(frame.with_columns(pl.col("big").cast(pl.String)))
