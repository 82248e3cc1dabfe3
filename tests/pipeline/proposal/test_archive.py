"""Which file of a ZIP archive is proposed."""

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
    assert "the largest of the 2 tables in the archive; unpack it" in conf["text"]


def test_the_only_table_of_an_archive_is_read(propose: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    conf = propose(archive(tmp_path, **{"README.txt": "as of today", "loans.tsv": LOANS.replace(";", "\t")}), None)
    assert conf["source"] == {"path": "export.zip", "member": "loans.tsv"}
    assert "member" not in propose(archive(tmp_path, **{"loans.csv": LOANS}), None)["source"]


def test_of_an_archive_without_tables_the_files_are_named(
    propose: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=r"holds one.dat, two.dat: say in `source.member` .*, or unpack it"):
        propose(archive(tmp_path, **{"one.dat": LOANS, "two.dat": LOANS}), None)
