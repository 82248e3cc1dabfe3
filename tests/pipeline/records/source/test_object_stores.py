"""Files in an object store: fsspec's own, in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.proposal.look import look
from pipeline.records.ingest import ingest
from pipeline.records.records import Records
from pipeline.records.source.object_stores import copied


@pytest.fixture
def bucket() -> Iterator[Any]:
    """A store with two files of sales."""
    files = fsspec.filesystem("memory")
    files.pipe({f"/bucket/{day}.csv": f"user,item\nu{day},a\nu{day},b\n".encode() for day in (1, 2)})
    yield files
    files.rm("/bucket", recursive=True)


def read(path: str, folder: Path) -> Records:
    conf = Dataset.model_validate(
        {
            "name": "sales",
            "description": "Sales.",
            "source": {"path": path},
            "example": "user",
            "tokens": [{"kind": "value", "columns": "item"}],
            "task": {"kind": "missing_tokens"},
            "dimensions": [1],
        }
    )
    return ingest(conf, folder, folder / "records", folder / "downloads")


def test_text_files_in_a_store_are_read_as_one_table(bucket: Any, tmp_path: Path) -> None:
    records = read("memory://bucket/*.csv", tmp_path)
    assert records.frame.collect()["user"].to_list() == ["u1", "u1", "u2", "u2"]
    assert list(records.checksums) == ["memory:///bucket/1.csv", "memory:///bucket/2.csv"]


def test_a_file_is_copied_once_and_again_when_it_has_changed(bucket: Any, tmp_path: Path) -> None:
    path = copied("memory://bucket/1.csv", tmp_path)
    assert path.name.endswith("-1.csv")
    before = path.stat().st_ino
    assert copied("memory://bucket/1.csv", tmp_path).stat().st_ino == before
    bucket.pipe("/bucket/1.csv", b"user,item\nu3,c\n")
    assert copied("memory://bucket/1.csv", tmp_path).read_text() == "user,item\nu3,c\n"


def test_a_conf_file_is_proposed_for_a_file_in_a_store(bucket: Any, tmp_path: Path) -> None:
    assert look("memory://bucket/2.csv", None, tmp_path, tmp_path).frame.columns == ["user", "item"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("memory://bucket/3.csv", r"memory://bucket/3.csv: there is no such file. Correct `source.path`"),
        ("memory://bucket/*.tsv", r"memory://bucket/\*.tsv: there is no such file"),
        ("file:///bucket/3.parquet", r"file:///bucket/3.parquet: there is no such file. Correct `source.path`"),
        ("oss://bucket/1.csv", r"oss://bucket/1.csv: a driver for such a store is not installed \(.*ossfs.*\)"),
        ("unheard-of://bucket/1.csv", r"unheard-of://bucket/1.csv: cannot be read \(Protocol not known"),
    ],
)
def test_what_cannot_be_read_is_told(path: str, told: str, bucket: Any, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=told):
        read(path, tmp_path)
