"""Sixty kinds of odd files, for lists and for numbers alike.

Each is learned from, or refused in one sentence; each row is in one count.
"""

import bz2
import codecs
import gzip
import lzma
import os
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.examples.encoding import encode
from pipeline.records.ingest import ingest
from pipeline.records.records import Records
from pipeline.vocabulary.counted import count

RNG = random.Random(7)
LISTS = [f"u{i % 40},i{RNG.randrange(30)},{RNG.randrange(1, 6)}" for i in range(600)]
HOMES = [
    f"h{i},w{RNG.randrange(9)} w{RNG.randrange(9)} w{RNG.randrange(9)},{RNG.randrange(50, 900)}" for i in range(600)
]
NAMES = {"lists": "user,item,stars", "numbers": "home,text,price"}

SETTINGS: dict[str, dict[str, Any]] = {
    "lists": {
        "example": "user",
        "tokens": [{"kind": "value", "columns": "item"}],
        "task": {"kind": "missing_tokens"},
    },
    "numbers": {
        "example": "home",
        "tokens": [{"kind": "words", "columns": "text"}],
        "task": {"kind": "regression", "target": "price"},
    },
}


def text(rows: list[str], names: str, end: str = "\n") -> str:
    return end.join([names, *rows]) + end


def replaced(rows: list[str], odd: list[str]) -> list[str]:
    """The rows with odd ones put between them."""
    mixed = list(rows)
    for i, row in enumerate(odd):
        mixed.insert((i + 1) * len(rows) // (len(odd) + 1), row)
    return mixed


def third(rows: list[str], change: Callable[[str], str]) -> list[str]:
    """The rows with a change in the third value of each."""
    return [",".join([*row.split(",")[:2], change(row.split(",")[2])]) for row in rows]


# name -> what the file holds, made from good rows and the names of their columns
TEXTS: dict[str, Callable[[list[str], str], str | bytes]] = {
    "good": lambda r, n: text(r, n),
    "empty": lambda r, n: "",
    "only blank lines": lambda r, n: "\n\n\n",
    "only names": lambda r, n: n + "\n",
    "only names, no line end": lambda r, n: n,
    "no line end at the end": lambda r, n: text(r, n).rstrip("\n"),
    "CRLF": lambda r, n: text(r, n, "\r\n"),
    "CR": lambda r, n: text(r, n, "\r"),
    "mixed line ends": lambda r, n: text(r, n, "\n").replace("\n", "\r\n", 50),
    "blank lines between": lambda r, n: text(r, n, "\n\n"),
    "blank lines before the names": lambda r, n: "\n\n" + text(r, n),
    "byte-order mark": lambda r, n: codecs.BOM_UTF8 + text(r, n).encode(),
    "UTF-16 with mark": lambda r, n: text(r, n).encode("utf-16"),
    "UTF-16 without mark": lambda r, n: text(r, n).encode("utf-16-le"),
    "UTF-16 big-endian": lambda r, n: codecs.BOM_UTF16_BE + text(r, n).encode("utf-16-be"),
    "UTF-32": lambda r, n: text(r, n).encode("utf-32"),
    "a title": lambda r, n: "Stars of 2024\n" + text(r, n),
    "a title in cells": lambda r, n: f"Stars of 2024{',' * n.count(',')}\n" + text(r, n),
    "one Latin-1 letter": lambda r, n: text(replaced(r, ["ü,é,3"]), n).encode("latin-1"),
    "all Latin-1": lambda r, n: text([f"ü{row}" for row in r], n).encode("latin-1"),
    "Shift-JIS": lambda r, n: text([f"日本{row}" for row in r], n).encode("shift-jis"),
    "NUL bytes": lambda r, n: text(replaced(r, ["a\0b,c\0d,3"]), n),
    "control characters": lambda r, n: text(replaced(r, ["a\x07b,c\x1bd,3"]), n),
    "binary": lambda r, n: bytes(RNG.randrange(256) for _ in range(20_000)),
    "a picture": lambda r, n: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40,
    "short lines": lambda r, n: text(replaced(r, ["u1,i1", "u2"]), n),
    "long lines": lambda r, n: text(replaced(r, ["u1,i1,3,4", "u1,i1,3,,,,"]), n),
    "every line short": lambda r, n: text([row.rsplit(",", 1)[0] for row in r], n),
    "every line long": lambda r, n: text([row + ",x" for row in r], n),
    "a trailing separator": lambda r, n: text([row + "," for row in r], n + ","),
    "a trailing separator in the rows only": lambda r, n: text([row + "," for row in r], n),
    "an open quote": lambda r, n: text(replaced(r, ['u1,"i1,3']), n),
    "an open quote in the last line": lambda r, n: text([*r, 'u1,"i1,3'], n),
    "an open quote in the names": lambda r, n: text(r, '"' + n),
    "text behind a quote": lambda r, n: text(replaced(r, ['u1,"i1"x,3']), n),
    "quotes within": lambda r, n: text(replaced(r, ['u1,12" pipe,3']), n),
    "escaped quotes": lambda r, n: text(replaced(r, ['u1,"say \\"hi\\"",3']), n),
    "doubled quotes": lambda r, n: text(replaced(r, ['u1,"say ""hi""",3']), n),
    "everything quoted": lambda r, n: text([",".join(f'"{v}"' for v in row.split(",")) for row in r], n),
    "line ends in quotes": lambda r, n: text(replaced(r, ['u1,"two\nlines",3', 'u2,"three\n\nlines",3']), n),
    "quoted empty values": lambda r, n: text(replaced(r, ['u1,"",3', '"",i1,3', '"","",""']), n),
    "words for missing": lambda r, n: text(replaced(r, ["NA,i1,3", "u1,N/A,3", "null,null,null", "u1,NaN,nan"]), n),
    "None": lambda r, n: text(replaced(r, ["None,None,3"]), n),
    "blanks for values": lambda r, n: text(replaced(r, [" , ,3"]), n),
    "blanks around values": lambda r, n: text([row.replace(",", " , ") for row in r], n),
    "blanks around names": lambda r, n: text(r, n.replace(",", " , ")),
    "names twice": lambda r, n: text([f"{row},x" for row in r], f"{n},{n.split(',')[1]}"),
    "no names": lambda r, n: text(r[1:], r[0]),
    "names in capitals": lambda r, n: text(r, n.upper()),
    "semicolons": lambda r, n: text(r, n).replace(",", ";"),
    "tabs": lambda r, n: text(r, n).replace(",", "\t"),
    "pipes": lambda r, n: text(r, n).replace(",", "|"),
    "semicolons, decimal commas": lambda r, n: text(third(r, lambda v: v + ".5"), n).translate({44: ";", 46: ","}),
    "currencies": lambda r, n: text([f'{row.rsplit(",", 1)[0]},"$1,{i:03d}.50"' for i, row in enumerate(r)], n),
    "ids with zeros": lambda r, n: text([f"00{row[1:]}" for row in r], n),
    "ids beyond 64 bits": lambda r, n: text([f"{2**70}{row[1:]}" for row in r], n),
    "infinite and huge": lambda r, n: text(replaced(r, [f"u1,i1,{x}" for x in ("inf", "-inf", "1e300", "0", "-5")]), n),
    "no numbers": lambda r, n: text(third(r, lambda v: "cheap"), n),
    "dates for numbers": lambda r, n: text(third(r, lambda v: "2024-05-01"), n),
    "scripts": lambda r, n: text(replaced(r, ["<script>alert(1)</script>,</table>,3", "${HOME},{{7*7}},3"]), n),
    "formulas": lambda r, n: text(replaced(r, ["=1+1,@SUM(A1),3", "+1,-1,3"]), n),
    "a token of a megabyte": lambda r, n: text(replaced(r, [f"u1,{'x' * 2**20},3"]), n),
    "a million columns": lambda r, n: ",".join(f"c{i}" for i in range(100_000)) + "\n" + "," * 99_999 + "\n",
    "odd Unicode": lambda r, n: text(replaced(r, ["\u202eevil,\u200b\ufeff,3", "é,e\u0301,3", "🎬,👨‍👩‍👧,3"]), n),
    "the same row again and again": lambda r, n: text([r[0]] * 600, n),
    "one user": lambda r, n: text([f"u1{row[row.index(','):]}" for row in r], n),
    "one token": lambda r, n: text([",".join([row.split(",")[0], "i1", row.split(",")[2]]) for row in r], n),
    "one row": lambda r, n: text(r[:1], n),
    "two rows": lambda r, n: text(r[:2], n),
    "a page of HTML": lambda r, n: "<!DOCTYPE html><html><body>Please log in</body></html>",
    "JSON": lambda r, n: '[{"user": 1, "item": 2}]',
}  # fmt: skip


def learned_from(folder: Path, kind: str, **source: Any) -> str:
    """What becomes of a source: `used`, or the sentence that refuses it."""
    settings = {"description": "Odd.", "dimensions": [1], "split": {"validation": 0.2, "test": 0.2}, **SETTINGS[kind]}
    conf = Dataset.model_validate({"name": "odd", **settings, "source": source})
    try:
        records = ingest(conf, folder, folder / "read")
    except PipelineError as error:
        assert not (folder / "read").exists()
        return sentence(error)
    assert records.counts.accounted
    assert records.counts.used == records.frame.select(pl.len()).collect().item()
    assert records.counts.quarantined == records.quarantine.height
    try:
        counted = count(records, conf)
        examples = encode(records.frame, counted.vocabulary, conf, counted.table)
    except PipelineError as error:
        return sentence(error)
    assert "" not in counted.vocabulary.tokens["token"]
    assert examples.about["pairs"] == int(examples.counts.sum()) + examples.about["unknown_tokens"]
    return "used"


def sentence(error: PipelineError) -> str:
    said = str(error)
    assert len(said) > 20
    assert "\n" not in said.strip()
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("kind", ["lists", "numbers"])
@pytest.mark.parametrize("name", TEXTS)
def test_an_odd_text_is_learned_from_or_refused_in_a_sentence(name: str, kind: str, tmp_path: Path) -> None:
    made = TEXTS[name](LISTS if kind == "lists" else HOMES, NAMES[kind])
    (tmp_path / "odd.csv").write_bytes(made if isinstance(made, bytes) else made.encode())
    learned_from(tmp_path, kind, path="odd.csv")


USED = ["good", "CRLF", "CR", "byte-order mark", "UTF-16 with mark", "UTF-16 without mark", "one Latin-1 letter",
        "blank lines between", "short lines", "long lines", "an open quote", "text behind a quote", "escaped quotes",
        "line ends in quotes", "quoted empty values", "words for missing", "semicolons", "tabs", "pipes",
        "everything quoted", "blanks around names", "ids with zeros", "infinite and huge", "scripts", "formulas",
        "semicolons, decimal commas", "currencies", "odd Unicode", "a token of a megabyte", "NUL bytes"]  # fmt: skip


@pytest.mark.parametrize("kind", ["lists", "numbers"])
@pytest.mark.parametrize("name", USED)
def test_a_little_dirt_is_set_aside_and_the_rest_learned_from(name: str, kind: str, tmp_path: Path) -> None:
    made = TEXTS[name](LISTS if kind == "lists" else HOMES, NAMES[kind])
    (tmp_path / "odd.csv").write_bytes(made if isinstance(made, bytes) else made.encode())
    assert learned_from(tmp_path, kind, path="odd.csv") == "used"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a picture", "this is a picture"),
        ("a page of HTML", "this is a web page and no table"),
        ("JSON", "this is JSON and no table: say `source.format: json`"),
        ("names in capitals", "there is no column 'user' in odd.csv, did you mean 'USER'"),
        (
            "a title",
            "there is: Stars of 2024 (do lines stand above the names of the columns? `source.skip` says how many)",
        ),
        ("a title in cells", "(do lines stand above the names of the columns? `source.skip` says how many)"),
        ("all Latin-1", "Say its encoding with `source.encoding`, such as windows-1252"),
        ("every line long", "Is `source.separator` right?"),
        ("one row", "a single example is too few: 1 to validate and 1 to hold out leave 0 to train on"),
    ],
)
def test_what_is_no_such_data_is_called_by_its_name(name: str, said: str, tmp_path: Path) -> None:
    made = TEXTS[name](LISTS, NAMES["lists"])
    (tmp_path / "odd.csv").write_bytes(made if isinstance(made, bytes) else made.encode())
    assert said in learned_from(tmp_path, "lists", path="odd.csv")


def test_numbers_without_a_logarithm_are_told_how_to_be_learned(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text(text([f"{home.rpartition(',')[0]},0" for home in HOMES], NAMES["numbers"]))
    said = learned_from(tmp_path, "numbers", path="odd.csv")
    assert "price: is not above 0, and has no logarithm" in said
    assert (
        "Leave them out with `source.where`; or say `log: false` in `task`, to learn such numbers as they are." in said
    )


def _cut(folder: Path) -> str:
    whole = gzip.compress((text(LISTS * 500, NAMES["lists"])).encode(), 1)
    (folder / "odd.csv.gz").write_bytes(whole[: len(whole) * 6 // 10])
    return "odd.csv.gz"


def _bomb(folder: Path) -> str:
    (folder / "bomb.csv.gz").write_bytes(gzip.compress(b"user,item,stars\n" + b"0" * 30_000_000))
    return "bomb.csv.gz"


def _link(to: str) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        os.symlink(to, folder / "odd.csv")
        return "odd.csv"

    return make


def _folder(folder: Path) -> str:
    (folder / "odd.csv").mkdir()
    return "odd.csv"


def _differ(folder: Path) -> str:
    (folder / "a.csv").write_text("user,item,stars\nu1,i1,3\n")
    (folder / "b.csv").write_text("user,thing,stars\nu1,i1,3\n")
    return "*.csv"


def _parquets_differ(folder: Path) -> str:
    pl.DataFrame({"user": [1], "item": [2]}).write_parquet(folder / "a.parquet")
    pl.DataFrame({"user": ["x"], "item": [2]}).write_parquet(folder / "b.parquet")
    return "*.parquet"


def _broken_parquet(folder: Path) -> str:
    pl.DataFrame({"user": range(1000), "item": range(1000)}).write_parquet(folder / "a.parquet")
    whole = (folder / "a.parquet").read_bytes()
    (folder / "a.parquet").write_bytes(whole[: len(whole) * 6 // 10])
    return "a.parquet"


def _zip_of_two(folder: Path) -> str:
    with zipfile.ZipFile(folder / "odd.csv.zip", "w") as archive:
        archive.writestr("a/one.csv", "user,item,stars\n")
        archive.writestr("a/two.csv", "user,item,stars\n")
    return "odd.csv.zip"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_cut, r"odd.csv.gz: the file cannot be read to its end .*Is it complete\?"),
        (_bomb, r"bomb.csv.gz: holds more than 0.01 GB. Raise `source.max_gigabytes`"),
        (_link("nowhere.csv"), r"odd.csv: is a link to nowhere.csv, which leads nowhere"),
        (_link("odd.csv"), r"odd.csv: is a link to odd.csv, which leads nowhere"),
        (_folder, "the folder holds no file of a known format"),
        (_differ, r"b.csv: lacks the column 'item', which .*a.csv has"),
        (_parquets_differ, r"b.parquet: the column 'user' holds String, but Int64 in .*a.parquet"),
        (_broken_parquet, r"a.parquet: cannot be read as parquet"),
        (_zip_of_two, r"the archive holds a/one.csv, a/two.csv: say in `source.member` which file"),
    ],
)
def test_an_odd_file_is_told_in_a_sentence(make: Callable[[Path], str], said: str, tmp_path: Path) -> None:
    assert re.search(said, learned_from(tmp_path, "lists", path=make(tmp_path), max_gigabytes=0.01))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_later_file_may_have_gained_a_column(ending: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text(LISTS[:300], NAMES["lists"]))
    (tmp_path / "b.csv").write_text(text([f"shop,{line}" for line in LISTS[300:]], f"place,{NAMES['lists']}"))
    if ending == "parquet":
        for name in ("a", "b"):
            pl.read_csv(tmp_path / f"{name}.csv").write_parquet(tmp_path / f"{name}.parquet")
    assert learned_from(tmp_path, "lists", path=f"*.{ending}") == "used"
    frame = Records.load(tmp_path / "read").frame
    assert "place" not in frame.collect_schema().names()
    assert frame.select(pl.len()).collect().item() == len(LISTS)


@pytest.mark.parametrize(
    "name", ["d [1].csv", "50% off?.csv", "it's #1 & more.csv", "ümläut 🎬.csv", " .csv", "-rf.csv"]
)
def test_a_file_may_have_any_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text(LISTS, NAMES["lists"]))
    assert learned_from(tmp_path, "lists", path=name) == "used"


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zip"])
def test_compressed_files_are_read_whatever_their_name_says(ending: str, tmp_path: Path) -> None:
    content = text(LISTS, NAMES["lists"]).encode()
    if ending == "zip":
        with zipfile.ZipFile(tmp_path / "odd.csv", "w") as archive:
            archive.writestr("inside.csv", content)
    else:
        packed = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[ending](content)
        (tmp_path / "odd.csv").write_bytes(packed)
    assert learned_from(tmp_path, "lists", path="odd.csv") == "used"


@pytest.mark.parametrize(
    ("lines", "quarantined"),
    [
        (['{"user": "u1"}'], 1),
        (["no json"], 1),
        (['["u1", "i1"]'], 1),
        (['{"user": "u1", "item": 007}'], 1),
        (["", "  "], 0),
        (['{"user": null, "item": "i1"}', '{"user": "u1", "item": null}'], 2),
    ],
)
def test_odd_lines_of_ndjson_are_set_aside(lines: list[str], quarantined: int, tmp_path: Path) -> None:
    good = [f'{{"user": "{u}", "item": "{i}"}}' for u, i, _ in (row.split(",") for row in LISTS)]
    (tmp_path / "odd.ndjson").write_text("\n".join(replaced(good, lines)) + "\n")
    conf = Dataset.model_validate(
        {"name": "odd", "description": "Odd.", "dimensions": [1], **SETTINGS["lists"], "source": {"path": "odd.ndjson"}}
    )
    records = ingest(conf, tmp_path, tmp_path / "read")
    assert (records.counts.used, records.counts.quarantined) == (600, quarantined)
    assert sorted(records.quarantine["raw"]) == sorted(line for line in lines if line.strip())
