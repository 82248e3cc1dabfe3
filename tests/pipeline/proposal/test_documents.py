"""Folders of many files: a text in each, or parts of a table."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

RNG = random.Random(6)
WORDS = [f"word{i}" for i in range(15)]


@pytest.mark.parametrize(
    ("folders", "written"),
    [
        (["sport", "tech"], "{0}, {1}.\n{1}, {0}.\n"),  # a comma in each line
        (["sport", "tech"], "<p>{0}</p>&nbsp;\n"),
        (["all"], "Dear reader, hello\n\n{0}\n{1}, and so on, and on.\n{0}.\n"),
    ],
)
def test_texts_with_commas_are_texts(
    folders: list[str], written: str, tmp_path: Path, propose: Callable[..., dict[str, Any]]
) -> None:
    for i in range(60):
        path = tmp_path / "corpus" / folders[i % len(folders)] / f"{i}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written.format(*(" ".join(RNG.sample(WORDS, 6)) for _ in range(2))))
    conf = propose("corpus", None)
    assert conf["source"] == {"path": "corpus", "format": "documents"}
    assert conf["tokens"] == [{"kind": "words", "columns": "text"}]


@pytest.mark.parametrize(("in_utf8", "encoding"), [(0, "windows-1252"), (30, None)])
def test_the_encoding_of_texts_is_told_where_most_letters_need_it(
    in_utf8: int, encoding: str | None, tmp_path: Path, propose: Callable[..., dict[str, Any]]
) -> None:
    (tmp_path / "corpus").mkdir()
    for i in range(100):
        text = f"{' '.join(RNG.sample(WORDS, 6))}\nund so weiter"
        if i >= 98 or i < in_utf8:
            text += " für Käse, Äpfel und Öl"
        content = text.encode() if i < in_utf8 else text.encode("latin-1")
        (tmp_path / "corpus" / f"{i}.txt").write_bytes(content if encoding or i < 98 else text.encode())
    assert propose("corpus", None)["source"].get("encoding") == encoding


def test_tables_in_several_folders_are_one_table(tmp_path: Path, propose: Callable[..., dict[str, Any]]) -> None:
    for day in range(30):
        rows = [(f"u{RNG.randrange(40)}", f"i{RNG.randrange(60)}") for _ in range(20)]
        (tmp_path / "sales" / f"2024-{day % 3}").mkdir(parents=True, exist_ok=True)
        (tmp_path / "sales" / f"2024-{day % 3}" / f"{day}.txt").write_text(
            pl.DataFrame(rows, ["user", "item"], orient="row").write_csv()
        )
    assert propose("sales", None)["example"] == "user"
