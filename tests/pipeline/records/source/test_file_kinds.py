"""Files that are something else than a table of text, and what is said about them."""

import pickle
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from pipeline.config.records import Source
from pipeline.errors import PipelineError
from pipeline.proposal.look import look
from pipeline.records.source.file_kinds import format_of_content, other_kind, rather_text
from pipeline.records.source.files import Files
from pipeline.records.source.tables import TableFile

FRAME = pl.DataFrame({"user": ["a", "b"], "item": ["x", "y"]})


def avro(path: Path) -> None:
    FRAME.write_avro(path)


def excel(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")


def database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE loans (reader TEXT, book TEXT)")
        connection.commit()


KINDS = {
    "Avro": avro,
    "a workbook": excel,
    "a pickle": lambda path: path.write_bytes(pickle.dumps({"a": list(range(100))})),
    "a picture": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0"),
    "a database": database,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_table_is_called_by_its_name_by_run_and_new(kind: str, tmp_path: Path) -> None:
    KINDS[kind](tmp_path / "some.csv")
    with pytest.raises(PipelineError, match=kind):
        list(Files(Source(path=("some.csv",)), tmp_path, (), tmp_path).batches())
    with pytest.raises(PipelineError, match=kind):
        look("some.csv", None, tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (b"%%MatrixMarket matrix coordinate real general\n", "matrix_market"),
        (b"# made\n-1 1:0.5 7:1e-3\n+1 2:3\n0\n", "svmlight"),
        (b'[{"a": 1}]', "json"),
        (b'[\n  ["x"]\n]', "json"),
        (b'{"a": 1}\n{"a": 2}\n', "ndjson"),
        (b'{\n "a": 1}\n', "json"),
        (b"PAR1\x15\0\x15", "parquet"),
        (b"1 2 3\n4 5\n", None),
        (b"user,item\n1,2\n", None),
        (b"PAR1,ORC\n1,2\n", None),
        (b"at 10:30 we met\n", None),
    ],
)
def test_a_format_is_told_by_what_a_file_holds(start: bytes, found: str | None) -> None:
    assert (format_of_content(start) or (None,))[0] == found


def test_a_table_is_nothing_else() -> None:
    for start in (
        b"PAR1,ORC\n1,2\n",
        b"user;item\n",
        "\ufeffid,größe\n".encode(),
        b"[note] some text\n",
        b"%share,n\n",
    ):
        assert other_kind(start) is None, start


def test_of_what_cannot_be_opened_as_a_file_nothing_is_told(tmp_path: Path) -> None:
    assert rather_text(str(tmp_path)) == ""
    with pytest.raises(PipelineError, match="cannot be read as arrow"):
        TableFile(str(tmp_path), "homes.arrow", "arrow")
