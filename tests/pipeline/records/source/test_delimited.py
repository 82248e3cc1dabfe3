import csv
import gzip
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.records.source import streams
from pipeline.records.source.batch import Unreadable
from pipeline.records.source.delimited import DelimitedFile
from pipeline.records.source.streams import TextFile

Row = tuple[str | None, ...]


def read(
    content: bytes,
    separator: str | None = ",",
    quote: str | None = '"',
    block: int = streams.BLOCK,
    name: str = "r.csv",
) -> tuple[tuple[str, ...], list[Row], list[int], list[str], list[Unreadable]]:
    """The columns, rows, lines, raw texts and unreadable lines of a file."""
    rows: list[Row] = []
    lines: list[int] = []
    raw: list[str] = []
    unreadable: list[Unreadable] = []
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK", block)
        path = Path(folder) / name
        path.write_bytes(content)
        file = DelimitedFile(TextFile(path, name), separator, quote, None, ())
        for batch in file.batches():
            rows += batch.frame.rows()
            lines += batch.lines.tolist()
            raw += batch.raw(range(batch.frame.height))
            unreadable += batch.unreadable
    return file.columns, rows, lines, raw, unreadable


TEXTS = st.text(st.sampled_from('a,;\t|"é\n\r\\ '), max_size=6)
BAD = ["only one", "1,2,3,4", 'x,"open,3', 'x,"a"b,3', "x,\udce9,3"]


@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=20),
    separator=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    block=st.sampled_from([16, 64, 2**20]),
)
@example(  # a value that goes on in the next block, and looks as if a quote in it were escaped
    rows=[("", "", ""), ("", "", ""), ("", ";;;é", ";;;;;"), (";", ";;é", ';;"é'), (";", ";\\", ";\\;\n")],
    separator=";",
    quoting=csv.QUOTE_MINIMAL,
    end="\n",
    block=16,
)
def test_what_a_writer_of_csv_writes_is_read_in_blocks_of_any_size(
    rows: list[tuple[str, str, str]], separator: str, quoting: int, end: str, block: int
) -> None:
    # a bare carriage return within a value is text, but csv.writer quotes it only if it is told about it
    rows = [tuple(value.replace("\r", "") for value in row) for row in rows]  # type: ignore[misc]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    writer.writerows([("a", "b", "c"), *rows])
    columns, found, lines, _, unreadable = read(text.getvalue().encode(), separator, block=block)
    assert columns == ("a", "b", "c")
    assert not unreadable
    assert [tuple(value or "" for value in row) for row in found] == rows
    assert lines == sorted({*lines})


@given(
    good=st.lists(st.tuples(st.text("xyz", max_size=3), st.text("xyz é", min_size=1, max_size=3)), min_size=1),
    bad=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(BAD)), max_size=8),
    block=st.sampled_from([16, 64, 2**20]),
)
def test_a_bad_line_is_told_with_its_number_and_text_and_no_other_line_is_lost(
    good: list[tuple[str, str]], bad: list[tuple[int, str]], block: int
) -> None:
    lines = [f"{a},{b},ok" for a, b in good]
    for place, text in bad:
        lines.insert(min(place, len(lines)), text)
    content = "\n".join(["a,b,c", *lines]).encode("utf-8", "surrogateescape")
    _, rows, numbers, raw, unreadable = read(content, block=block)
    odd = [(number, text.replace("\udce9", "\\xe9")) for number, text in enumerate(lines, 2) if text in BAD]
    assert [(one.line, one.raw) for one in unreadable] == odd
    assert [(row[0] or "", row[1]) for row in rows] == [(a, b) for a, b in good]
    assert numbers == [number for number, text in enumerate(lines, 2) if text not in BAD]
    assert raw == [text for text in lines if text not in BAD]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (b'1,12" pipe,3', ("1", '12" pipe', "3")),
        (b'1,a""b,3', ("1", 'a""b', "3")),
        (b'1,"say ""hi""",3', ("1", 'say "hi"', "3")),
        (rb'1,"say \"hi\", twice",3', ("1", 'say "hi", twice', "3")),
        (b'1,"two\n\nlines",3', ("1", "two\n\nlines", "3")),
        (b'1,"a\0b",3', ("1", "a\0b", "3")),
        (b"1,007,1e5", ("1", "007", "1e5")),
    ],
)  # fmt: skip
def test_quotes_at_unusual_places_are_read_as_they_were_meant(line: bytes, values: Row) -> None:
    _, rows, lines, _, unreadable = read(b"a,b,c\n0,0,0\n" + line + b"\n9,9,9\n")
    assert rows == [("0",) * 3, values, ("9",) * 3]
    assert lines[:2] == [2, 3]
    assert not unreadable


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"1,2", "has fewer values than columns"),
        (b"1,2,3,4", "has more values than columns"),
        (b'1,"2,3', "has a quote that does not close"),
        (b'1,"2"x,3', "has text behind a closing quote"),
        (b"1,\xe9,3", "is not UTF-8"),
    ],
)
def test_the_reason_of_a_bad_line_is_told(line: bytes, reason: str) -> None:
    _, rows, _, _, unreadable = read(b"a,b,c\n" + line + b"\n9,9,9\n")
    assert rows == [("9",) * 3]
    assert unreadable == [Unreadable(2, reason, line.decode("utf-8", "backslashreplace"))]


def test_a_byte_order_mark_blanks_around_names_and_blank_lines_do_not_matter() -> None:
    columns, rows, lines, _, _ = read(b"\xef\xbb\xbf\r\n user ,item, ,item\r\n\r\n1,2,3,4\r\n\r\n")
    assert columns == ("user", "item", "column_3", "item_2")
    assert (rows, lines) == ([("1", "2", "3", "4")], [4])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_utf_16_is_recognised(encoding: str) -> None:
    content = "user,item\n1,é\n2,✓\n".encode(encoding)
    for block in (16, 2**20):
        assert read(content, block=block)[:2] == (("user", "item"), [("1", "é"), ("2", "✓")])


def test_lines_that_end_with_a_carriage_return_only_are_lines() -> None:
    assert read(b"a,b\r1,2\r3,4\r")[1] == [("1", "2"), ("3", "4")]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_in_the_first_line(separator: str) -> None:
    columns, rows, *_ = read(f"user{separator}item\n1{separator}2\n".encode(), None)
    assert (columns, rows) == (("user", "item"), [("1", "2")])


def test_quotes_are_text_where_conf_says_so() -> None:
    assert read(b'a\tb\n1\t"x\n2\ty"\n', "\t", None)[1] == [("1", '"x'), ("2", 'y"')]


def test_a_damaged_archive_is_told_in_a_sentence() -> None:
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 100_000)
    with pytest.raises(PipelineError, match=r"r.csv.gz: the file cannot be read to its end .* Is it complete"):
        read(whole[: len(whole) * 6 // 10], name="r.csv.gz")
