"""Folders that say the value of a column for all files in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.config.files import load
from pipeline.records.ingest import ingest
from pipeline.records.periods.reading import read_periods
from pipeline.records.periods.survey import survey

CONF: dict[str, Any] = {
    "description": "d",
    "tokens": [{"kind": "value", "columns": ["film", "genre"]}],
    "task": {"kind": "missing_tokens"},
    "dimensions": [1],
}
FILMS = {"Drama": ["Heat", "Kes"], "Sci%2DFi": ["Alien"], "__HIVE_DEFAULT_PARTITION__": ["Koko"]}
READ = [("Heat", "Drama"), ("Kes", "Drama"), ("Alien", "Sci-Fi"), ("Koko", None)]


def written(frame: pl.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)


@pytest.fixture
def read(write_conf: Callable[..., Path], tmp_path: Path) -> Callable[..., set[tuple[Any, ...]]]:
    """What is read of films and their genres, by a source's path."""

    def make(path: str) -> set[tuple[Any, ...]]:
        conf = write_conf("films", {**CONF, "source": {"path": path, "max_bad_share": 1}})
        folder = tmp_path / f"read_{sum(1 for _ in tmp_path.iterdir())}"
        return {*ingest(load(conf), conf.parent, folder).frame.select("film", "genre").collect().rows()}

    return make


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_folder_says_the_value_of_a_column_unless_the_file_has_it(
    read: Callable[..., set[tuple[Any, ...]]], tmp_path: Path, ending: str
) -> None:
    for genre, films in FILMS.items():
        written(pl.DataFrame({"film": films}), tmp_path / f"data/genre={genre}/part.{ending}")
    assert read("../data") == {*READ}
    assert read(f"../data/*/part.{ending}") == {*READ}
    assert read(f"../data/genre=Drama/part.{ending}") == {*READ[:2]}
    written(pl.DataFrame({"film": ["Ran"], "genre": ["war"]}), tmp_path / f"data/genre=War/part.{ending}")
    assert read("../data") == {*READ, ("Ran", "war")}


def test_a_folder_that_is_not_on_the_way_to_all_files_and_those_above_conf_say_nothing(
    write_conf: Callable[..., Path], tmp_path: Path
) -> None:
    for place in ("genre=Drama/a.csv", "genre=Drama/year=2020/a.csv"):
        written(pl.DataFrame({"film": ["Heat"]}), tmp_path / "run=1" / "data" / place)
    (tmp_path / "run=1" / "conf").mkdir()
    conf = load(write_conf("films", {**CONF, "source": {"path": "data"}}))
    records = ingest(conf, tmp_path / "run=1", tmp_path / "read")
    assert records.frame.collect_schema().names() == ["film", "genre"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_folder_can_say_the_period(write_conf: Callable[..., Path], tmp_path: Path, ending: str) -> None:
    for day in ("2024-01-31", "2024-02-01"):
        written(
            pl.DataFrame({"film": ["Heat", "Ran"], "genre": ["a", "b"]}), tmp_path / f"data/day={day}/part.{ending}"
        )
    conf = load(write_conf("films", {**CONF, "source": {"path": "../data", "period": {"column": "day"}}}))
    found = survey(conf, tmp_path / "conf", tmp_path / "downloads", "me")
    assert found.rows == {"2024-01": 2, "2024-02": 2}
    made = read_periods(conf, tmp_path / "conf", tmp_path / "read", found, "me")
    assert made.records.counts.used == 4
    again = read_periods(conf, tmp_path / "conf", tmp_path / "again", found, "me", made.records, asked=["2024-02"])
    assert again.records.counts.used == 4
