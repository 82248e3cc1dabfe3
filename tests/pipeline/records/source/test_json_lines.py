"""The columns of files with a JSON object in each line."""

import json
from pathlib import Path

import polars as pl
import pytest

from pipeline.config.records import Source
from pipeline.records.source.files import Files

WIDE = [f"year_{i}" for i in range(1990, 2070)]


def read(path: Path) -> pl.DataFrame:
    files = Files(Source(path=(path.name,)), path.parent, (), path.parent)
    return pl.concat([batch.frame for batch in files.batches()])


@pytest.mark.parametrize("ending", [".ndjson", ".json"])
def test_columns_stand_in_the_order_of_the_first_objects_however_many_there_are(tmp_path: Path, ending: str) -> None:
    rows = [{name: str(i) if i % 2 else i for name in WIDE} for i in range(20)]
    rows[3]["later"] = "x"
    text = json.dumps(rows) if ending == ".json" else "\n".join(map(json.dumps, rows)) + "\n"
    (tmp_path / f"r{ending}").write_text(text)
    found = read(tmp_path / f"r{ending}")
    assert found.columns == [*WIDE, "later"]
    assert found["year_2000"].to_list() == [str(i) for i in range(20)]


def test_so_do_the_fields_of_objects_within_objects_and_lists(tmp_path: Path) -> None:
    one = dict.fromkeys(WIDE, 1)
    (tmp_path / "r.ndjson").write_text("\n".join([json.dumps({"id": 1, "all": one, "each": [one, one]})] * 3) + "\n")
    found = read(tmp_path / "r.ndjson")
    assert found.columns == ["id", *(f"all.{name}" for name in WIDE), *(f"each.{name}" for name in WIDE)]
    assert found["each.year_1999"].to_list() == [[1, 1]] * 3


@pytest.mark.parametrize("ending", [".ndjson", ".json"])
def test_nan_as_python_writes_it_is_a_missing_value(tmp_path: Path, ending: str) -> None:
    rows = [
        {"item": "NaN", "price": float("nan"), "each": [{"n": float("nan")}]},
        {"item": "é", "price": 2.5, "each": []},
    ]
    text = json.dumps(rows) if ending == ".json" else "\n".join(map(json.dumps, rows)) + "\n"
    (tmp_path / f"r{ending}").write_text(text)
    assert read(tmp_path / f"r{ending}").to_dicts() == [
        {"item": "NaN", "price": None, "each.n": [None]},
        {"item": "é", "price": 2.5, "each.n": []},
    ]
