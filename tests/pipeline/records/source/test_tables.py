"""Tables whose columns hold categories, numbers beside a list of texts as pandas and Arrow store them, or bytes.

And files that only have the name of a table.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.config.files import load
from pipeline.errors import PipelineError
from pipeline.records.ingest import ingest
from pipeline.vocabulary.counted import count

CONF: dict[str, Any] = {
    "description": "d",
    "tokens": [
        {"kind": "words", "columns": "remark"},
        {"kind": "items", "columns": "extras", "delimiter": "|"},
        {"kind": "indicators", "columns": ["sunny"]},
    ],
    "task": {"kind": "regression", "target": "rent"},
    "vocabulary": {"min_count": 1},
    "dimensions": [1],
}
HOMES = pl.DataFrame(
    {
        "remark": ["quiet street", "quiet yard"] * 20,
        "extras": ["lift|bath", "lift"] * 20,
        "sunny": ["yes", "no"] * 20,
        "rent": ["1,200.50", "980.00"] * 20,
    }
)


@pytest.mark.parametrize("dtype", [pl.Categorical(), pl.Enum(sorted({text for column in HOMES for text in column}))])
@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_categories_are_read_as_the_texts_that_they_stand_for(
    kind: str, dtype: pl.DataType, write_conf: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_conf("homes", {**CONF, "source": {"path": f"homes.{kind}"}})
    frame, file = HOMES.with_columns(pl.all().cast(dtype)), tmp_path / f"homes.{kind}"
    (frame.write_parquet if kind == "parquet" else frame.write_ipc)(file)
    records = ingest(load(path), tmp_path, tmp_path / "records")
    assert records.counts.quarantined == 0
    assert records.frame.select("rent (number)").collect()["rent (number)"].to_list() == [1200.5, 980.0] * 20
    tokens = {name.rpartition("=")[2] for name in count(records, load(path)).vocabulary.tokens["token"]}
    assert tokens == {"quiet", "street", "yard", "lift", "bath", "sunny"}


def test_bytes_are_read_as_the_texts_that_they_are_or_as_digits(
    write_conf: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_conf("homes", {**CONF, "source": {"path": "homes.parquet"}, "example": "id"})
    every = pl.all().cast(pl.Binary)
    odd = [bytes([255, number]) for number in range(39)]
    HOMES.select(every, id=pl.Series([*odd, b"40"])).write_parquet(tmp_path / "homes.parquet")
    records = ingest(load(path), tmp_path, tmp_path / "records").frame.collect()
    assert records.select(HOMES.columns).equals(HOMES)
    assert records["id"].to_list() == [*(value.hex() for value in odd), "40"]


@pytest.mark.parametrize("kind", ["parquet", "feather"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"user,item\n1,2\n", r": it is text. Let its name end in .csv, or say `source.format: csv`\.$"),
        (b'{"user": 1}\n', r": this is JSON and no table: say `source.format: json`\.$"),
        (b"PAR1" + bytes(99), r" \(.*\)\.$"),
    ],
)
def test_what_is_no_table_is_told(
    content: bytes, said: str, kind: str, write_conf: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_conf("homes", {**CONF, "source": {"path": f"homes.{kind}"}})
    (tmp_path / f"homes.{kind}").write_bytes(content)
    with pytest.raises(PipelineError, match=f"homes.{kind}: cannot be read as .*{said}"):
        ingest(load(path), tmp_path, tmp_path / "records")
