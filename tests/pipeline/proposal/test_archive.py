"""Which file of a ZIP archive is proposed."""

import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError

RNG = random.Random(2)
LOANS = "\n".join(["member;book", *(f"m{i % 90};b{RNG.randrange(20)}" for i in range(600))])


def archive(folder: Path, **files: str) -> str:
    with zipfile.ZipFile(folder / "export.zip", "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
    return "export.zip"


def test_the_largest_table_of_an_archive_is_read(propose: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    files = {"a/books.csv": "book;title\nb1;Emma\n", "a/loans [1].csv": LOANS, "README.txt": "as of today " * 999}
    conf = propose(archive(tmp_path, **files), None)
    assert conf["source"] == {"path": "export.zip", "member": "a/loans [[]1].csv", "separator": ";"}
    assert (conf["example"], conf["tokens"][0]["columns"]) == ("member", "book")
    assert "the largest of the 2 tables in the archive; the others have" in conf["text"]


def loans(month: int) -> str:
    return "\n".join(["member;book;day", *(f"m{i % 90};b{RNG.randrange(20)};2024-{month:02d}-03" for i in range(200))])


def test_tables_of_the_same_columns_are_read_one_after_the_other(
    propose: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    files = {f"a/loans-{month:02d}.csv": loans(month) for month in (2, 1, 3)}
    conf = propose(archive(tmp_path, **files, **{"a/books.csv": "book;title\nb1;Emma\n"}), None)
    assert conf["source"] == {"path": "export.zip", "member": "a/loans-0*.csv", "separator": ";"}
    assert "3 tables of the 4 files in the archive have the same columns" in conf["text"]
    assert "# time: day" in conf["text"]
    conf = propose(archive(tmp_path, **files), None)
    assert conf["source"]["member"] == "*.csv"


def test_an_archive_with_a_password_is_told(propose: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """The lowest bit of the flags, in the head of each file and in the directory at the end, says that there is one."""
    path = tmp_path / archive(tmp_path, **{"one.csv": loans(1), "two.csv": loans(2)})
    whole = path.read_bytes()
    for head, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        parts = whole.split(head)
        flagged = [part[: place - 4] + bytes([part[place - 4] | 1]) + part[place - 3 :] for part in parts[1:]]
        whole = head.join([parts[0], *flagged])
    path.write_bytes(whole)
    with pytest.raises(PipelineError, match=r"export\.zip: the file cannot be read to its end \(.*password"):
        propose("export.zip", None)


def test_objects_of_the_same_keys_are_read_one_after_the_other(
    propose: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """As of a service that keeps what was played in a file for each year, beside one about the person."""
    rows = [[{"person": f"p{i % 40}", "song": f"s{RNG.randrange(30)}"} for i in range(300)] for _ in range(2)]
    files = {f"played_{2020 + i}.json": json.dumps(of_year, indent=1) for i, of_year in enumerate(rows)}
    conf = propose(archive(tmp_path, **files, **{"person.json": json.dumps([{"name": "Emma"}], indent=1)}), None)
    assert conf["source"] == {"path": "export.zip", "member": "played_202*.json", "format": "json"}
    assert (conf["example"], conf["tokens"][0]["columns"]) == ("person", "song")


def test_the_only_table_of_an_archive_is_read(propose: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    conf = propose(archive(tmp_path, **{"README.txt": "as of today", "loans.tsv": LOANS.replace(";", "\t")}), None)
    assert conf["source"] == {"path": "export.zip", "member": "loans.tsv"}
    assert "member" not in propose(archive(tmp_path, **{"loans.csv": LOANS}), None)["source"]


def test_of_an_archive_without_tables_the_files_are_named(
    propose: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=r"holds one.dat, two.dat: say in `source.member` .*, such as \*\.dat"):
        propose(archive(tmp_path, **{"one.dat": LOANS, "two.dat": LOANS}), None)
