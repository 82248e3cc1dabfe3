"""A corpus whose texts are a file each, and the records that are read from it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.config.records import Source
from pipeline.records.source import documents
from pipeline.records.source.batch import Batch
from pipeline.records.source.files import Files

CORPUS = {"neg/1.txt": "dull,\nand long\n", "neg/2": "\ufeffmüde", "pos/1.txt": "a joy"}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    for name, text in CORPUS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def read(folder: Path, path: str | Sequence[str] = "corpus", **settings: Any) -> tuple[list[Batch], Files]:
    files = Files(Source(path=path, format="documents", **settings), folder.parent, (), folder.parent)
    return list(files.batches()), files


@pytest.mark.parametrize("size", [1, 10, 10_000])
def test_each_file_is_a_record_however_many_are_read_at_once(
    size: int, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "BYTES", size)
    batches, files = read(corpus)
    found = pl.concat([batch.frame for batch in batches])
    assert found.rows() == [
        ("neg/1.txt", "neg", "dull,\nand long"),
        ("neg/2", "neg", "müde"),
        ("pos/1.txt", "pos", "a joy"),
    ]
    assert [line for batch in batches for line in batch.lines] == [1, 2, 3]
    assert [*files.checksums] == [str(corpus)]


def test_the_checksum_is_another_if_a_text_is_or_has_another_name(corpus: Path) -> None:
    sums = [read(corpus)[1].checksums]
    (corpus / "pos" / "1.txt").rename(corpus / "pos" / "2.txt")
    sums.append(read(corpus)[1].checksums)
    (corpus / "pos" / "2.txt").write_text("a joke")
    sums.append(read(corpus)[1].checksums)
    assert len({str(one) for one in sums}) == 3


def test_a_file_that_is_no_utf_8_is_told_with_its_name(corpus: Path) -> None:
    (corpus / "neg" / "0.txt").write_bytes("müde".encode("latin-1"))
    (batch,), _ = read(corpus)
    assert [(one.line, one.reason) for one in batch.unreadable] == [(1, "is not UTF-8")]
    assert batch.unreadable[0].raw.startswith("neg/0.txt: m")
    assert list(batch.lines) == [2, 3, 4]
    (batch,), _ = read(corpus, ["corpus/neg/0.txt"], encoding="latin-1")
    assert batch.frame.row(0) == ("0.txt", ".", "müde")
