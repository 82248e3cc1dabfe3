"""Tables of Delta Lake and Iceberg, written by their own libraries."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.records.ingest import ingest
from pipeline.records.records import Records
from pipeline.records.source.paths import files_state

ROWS = pl.DataFrame({"user": [f"u{i % 7}" for i in range(500)], "item": [f"i{i % 11}" for i in range(500)]})
SETTINGS: dict[str, Any] = {
    "name": "lake",
    "description": "A lake.",
    "example": "user",
    "tokens": [{"kind": "value", "columns": "item"}],
    "task": {"kind": "missing_tokens"},
    "dimensions": [1],
}


def conf_of(path: str, **source: Any) -> Dataset:
    return Dataset.model_validate({**SETTINGS, "source": {"path": path, **source}})


def read(folder: Path, name: str, path: str, **source: Any) -> Records:
    return ingest(conf_of(path, **source), folder, folder / name)


def test_a_delta_table_is_read_as_it_is_now(tmp_path: Path) -> None:
    pytest.importorskip("deltalake")
    table = tmp_path / "sales"
    ROWS.write_delta(str(table))
    first = read(tmp_path, "first", "sales")
    before = files_state(conf_of("sales").source, tmp_path)
    assert first.frame.collect().select("user", "item").sort("user", "item").equals(ROWS.sort("user", "item"))
    assert list(first.checksums.values()) == ["version 0"]
    ROWS.head(100).write_delta(str(table), mode="append")
    assert files_state(conf_of("sales").source, tmp_path) != before
    again = read(tmp_path, "again", "sales", where="user = 'u1'")
    assert again.counts.read == 600
    assert list(again.checksums.values()) == ["version 1"]
    ROWS.head(10).write_delta(str(table), mode="overwrite")
    assert read(tmp_path, "third", "sales", format="delta").counts.used == 10


def test_an_iceberg_table_is_read_as_it_is_now(tmp_path: Path) -> None:
    pytest.importorskip("pyiceberg")
    from pyiceberg.catalog.memory import InMemoryCatalog

    catalog = InMemoryCatalog("own", warehouse=tmp_path.as_uri())
    catalog.create_namespace("shop")
    rows = ROWS.to_arrow(compat_level=pl.CompatLevel.oldest())
    table = catalog.create_table("shop.sales", schema=rows.schema, location=f"{tmp_path.as_uri()}/sales")
    table.append(rows)
    first = read(tmp_path, "first", "sales")
    assert first.counts.used == 500
    table.append(rows.slice(0, 100))
    again = read(tmp_path, "again", "sales")
    assert again.counts.used == 600
    assert first.checksums.values() != again.checksums.values()


def test_a_folder_that_is_no_table_ends_in_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("deltalake")
    (tmp_path / "sales" / "_delta_log").mkdir(parents=True)
    with pytest.raises(PipelineError, match="sales: cannot be read as a delta table"):
        read(tmp_path, "read", "sales")
