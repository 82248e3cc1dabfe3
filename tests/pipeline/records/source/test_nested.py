"""Objects within objects: each field is a column, wherever the table comes from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.config.files import load
from pipeline.errors import PipelineError
from pipeline.records.ingest import ingest
from pipeline.records.source.nested import flat
from pipeline.records.source.tables import TableFile
from pipeline.vocabulary.counted import count

ORDERS: list[dict[str, Any]] = [
    {"order": {"id": 1, "buyer": {"land": "FR"}}, "lines": [{"sku": "a", "n": 2}, {"sku": "b", "n": 1}]},
    {"order": {"id": 2, "buyer": {"land": "ÅL"}}, "lines": []},
    {"order": {"id": 3, "buyer": None}, "lines": [{"sku": "a", "n": None}]},
    {"order": {"id": 4, "buyer": {"land": None}}, "lines": None},
]
FLAT = {
    "order.id": [1, 2, 3, 4],
    "order.buyer.land": ["FR", "ÅL", None, None],
    "lines.sku": [["a", "b"], [], ["a"], None],
    "lines.n": [[2, 1], [], [None], None],
}
CONF: dict[str, Any] = {
    "description": "d",
    "tokens": [{"kind": "items", "columns": "lines.sku"}, {"kind": "value", "columns": "order.buyer.land"}],
    "task": {"kind": "missing_tokens"},
    "dimensions": [1],
}


def test_the_fields_of_objects_and_of_lists_of_objects_are_columns() -> None:
    rows = pl.DataFrame(ORDERS)
    assert flat(rows).to_dict(as_series=False) == FLAT
    assert flat(rows.lazy()).collect().to_dict(as_series=False) == FLAT


def test_a_table_without_objects_and_a_field_whose_name_is_taken_stay_as_they_are() -> None:
    plain = pl.DataFrame({"a": [[1]], "b": ["x"]})
    assert flat(plain) is plain
    taken = pl.DataFrame({"a": [{"b": 1}], "a.b": [2], "c": [{"d": 3}]})
    assert flat(taken).columns == ["a", "a.b", "c.d"]


def test_arrays_of_objects_are_lists() -> None:
    two = pl.Array(pl.Struct({"x": pl.Int64}), 2)
    rows = pl.DataFrame({"a": pl.Series([[{"x": 1}, {"x": 2}]], dtype=two)})
    assert flat(rows).to_dict(as_series=False) == {"a.x": [[1, 2]]}


@pytest.mark.parametrize("kind", ["ndjson", "parquet"])
def test_tokens_are_read_from_fields(kind: str, write_conf: Callable[..., Path], tmp_path: Path) -> None:
    path = write_conf("orders", {**CONF, "source": {"path": f"orders.{kind}"}, "vocabulary": {"min_count": 1}})
    if kind == "parquet":
        pl.DataFrame(ORDERS).write_parquet(path.with_name("orders.parquet"))
    else:
        lines = "\n".join(json.dumps(order) for order in ORDERS)
        path.with_name("orders.ndjson").write_text(lines, encoding="utf-8")
    conf = load(path)
    records = ingest(conf, path.parent, tmp_path / "read")
    frame = records.frame.collect()
    assert {name: frame[name].to_list() for name in ("lines.sku", "order.buyer.land")} == {
        name: FLAT[name] for name in ("lines.sku", "order.buyer.land")
    }
    tokens = count(records, conf).vocabulary.tokens["token"]
    assert {name.rpartition("=")[2] for name in tokens} == {"a", "b", "FR", "ÅL"}


def test_an_object_itself_is_no_column_and_its_fields_are_named(
    write_conf: Callable[..., Path], tmp_path: Path
) -> None:
    tokens = [{"kind": "items", "columns": "lines"}]
    path = write_conf("orders", {**CONF, "tokens": tokens, "source": {"path": "orders.parquet"}})
    pl.DataFrame(ORDERS).write_parquet(path.with_name("orders.parquet"))
    with pytest.raises(PipelineError, match=r"no column 'lines' .* fields are columns: lines\.n, lines\.sku"):
        ingest(load(path), path.parent, tmp_path / "read")


def test_some_rows_of_a_table_are_read_by_a_field(tmp_path: Path) -> None:
    pl.DataFrame(ORDERS).write_parquet(tmp_path / "orders.parquet")
    file = TableFile(str(tmp_path / "orders.parquet"), "orders", "parquet", pl.col("order.id") > 2)
    (batch,) = file.batches()
    assert batch.frame["order.id"].to_list() == [3, 4]
    assert batch.lines.tolist() == [3, 4]
