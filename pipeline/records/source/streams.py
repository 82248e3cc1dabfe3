"""Reads a text file once, as blocks of whole lines in UTF-8: decompressed, decoded, and with its checksum."""

import bz2
import codecs
import gzip
import hashlib
import io
import lzma
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from pipeline.errors import PipelineError, first_line
from pipeline.records.source.archives import archive_kind, members

BLOCK = 2**23
"""Bytes of a block, about; a longer line makes a longer block."""
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"(\xb5/\xfd": "zstd", b"PK\x03\x04": "zip"}
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class Block(NamedTuple):
    """Some whole lines of a file."""

    text: bytes
    """UTF-8, unless the file is not what conf says; each line ends with a line feed."""
    first_line: int
    """The number of the first line, from 1."""


class TextFile:
    """A text file that is read once, from its start to its end."""

    def __init__(
        self,
        path: Path,
        name: str,
        encoding: str | None = None,
        member: str | None = None,
        largest: float = math.inf,
        comment: str | None = None,
        skip: int = 0,
    ) -> None:
        """Prepare to read a file.

        Args:
            path: the file.
            name: the file as people know it.
            encoding: its encoding by its name in Python; None: by its byte-order mark, otherwise UTF-8.
            member: the one file of a ZIP archive to read, as a glob; None: its only file.
            largest: the most bytes that it may hold when it is decompressed.
            comment: how lines begin that stand before the first record, and are none.
            skip: how many lines stand before those.
        """
        self._comment, self._skip = comment.encode() if comment else None, skip
        self.path, self.name, self.encoding, self.member, self.largest = path, name, encoding, member, largest
        self._sha256, self._is_archive = hashlib.sha256(), False

    @property
    def checksum(self) -> str:
        """The SHA-256 of the bytes on disk; after the last block.

        An archive is read for it alone, because many of its files may be read before.
        """
        if self._is_archive:
            with self.path.open("rb") as raw:
                return hashlib.file_digest(raw, "sha256").hexdigest()
        return self._sha256.hexdigest()

    def blocks(self) -> Iterator[Block]:
        """All lines of the file, block by block.

        Raises:
            PipelineError: the file is damaged, too large, or not text.
        """
        with self.stream() as stream:
            yield from _without_head(self._lines(stream), self._skip, self._comment)

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        """The bytes of the file, decompressed; it is read to its end, for the checksum.

        Raises:
            PipelineError: the file is damaged.
        """
        with self._told(), self.path.open("rb") as raw:
            hashed = _Hashed(raw, self._sha256.update)
            with self._decompressed(hashed, raw.peek()) as stream:
                yield stream
            while not self._is_archive and hashed.read(BLOCK):  # what lies behind compressed data belongs to the file
                pass

    def whole(self) -> bytes:
        """All bytes of the file, as they are on disk."""
        found = self.path.read_bytes()
        self._sha256.update(found)
        return found

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in a sentence that the file is damaged, whatever says so."""
        try:
            yield
        except (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError) as error:
            raise PipelineError(
                f"{self.name}: the file cannot be read to its end ({first_line(error)}). Is it complete? Fetch "
                "it again."
            ) from error

    def start(self, size: int) -> bytes:
        """The first bytes of the file, decompressed, as they are.

        Raises:
            PipelineError: the file is damaged.
        """
        with (
            self._told(),
            self.path.open("rb") as raw,
            self._decompressed(_Hashed(raw, lambda _: None), raw.peek()) as stream,
        ):
            found = b""
            while len(found) < size and (some := stream.read(size - len(found))):
                found += some
            return found

    def _decompressed(self, raw: "_Hashed", start: bytes) -> Any:
        """The file's text, as a stream; told by the file's first bytes."""
        kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
        self._is_archive = kind == "zip"
        if self._is_archive:
            return self._member(zipfile.ZipFile(self.path))
        if kind == "zstd":
            import pyarrow as pa

            stream = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
            return io.BufferedReader(_Hashed(stream, lambda _: None))  # has lines, which Arrow's streams do not have
        if self.path.suffix == ".zlib":
            return io.BytesIO(zlib.decompress(raw.read()))
        opened: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
        return opened[kind](raw) if kind else raw

    def _member(self, archive: zipfile.ZipFile) -> Any:
        names = members(archive)
        if self.member is None and (kind := archive_kind(names)) is not None:
            raise PipelineError(f"{self.name}: {kind}.")
        found = members(archive, self.member)
        if len(found) != 1:
            held = ", ".join(names[:10])
            raise PipelineError(
                f"{self.name}: the archive holds {held}: say in `source.member` which file to read, such as "
                f"{names[0]}, or which of them, such as *{Path(names[0]).suffix}."
                if names
                else f"{self.name}: the archive is empty."
            )
        return archive.open(found[0])

    def _lines(self, stream: BinaryIO) -> Iterator[Block]:
        decode, rest, line, size = None, b"", 1, 0
        while True:
            some = stream.read(BLOCK)
            size += len(some)
            if size > self.largest:
                raise PipelineError(
                    f"{self.name}: holds more than {self.largest / 1e9:,g} GB. Raise `source.max_gigabytes` if that is "
                    "right."
                )
            if decode is None:
                decode, some = self._decoder(some)
            text = decode(some, not some)
            end = text.rfind(b"\n") + 1
            whole, rest = (rest + memoryview(text)[:end], text[end:]) if end else (b"", rest + text)
            if not some and rest:
                whole, rest = whole + rest + b"\n", b""
            if whole:
                yield Block(whole, line)
                line += int(np.count_nonzero(np.frombuffer(whole, np.uint8) == ord("\n")))
            if not some:
                return

    def _decoder(self, start: bytes) -> tuple[Callable[[bytes, bool], bytes], bytes]:
        """A function from bytes of the file to UTF-8, and the start of the file without its byte-order mark.

        A byte that the encoding does not have stays as it is: it is no UTF-8, and its line is told as unreadable.
        """
        mark = next((mark for mark in MARKS if start.startswith(mark)), b"")
        encoding = codecs.lookup(MARKS.get(mark) or self.encoding or utf_16_or_8(start)).name
        start = start[len(mark) :]
        if encoding not in ("utf-8", "ascii"):
            incremental = codecs.getincrementaldecoder(encoding)("replace" if "16" in encoding else "surrogateescape")
            return lambda some, last: incremental.decode(some, last).encode("utf-8", "surrogateescape"), start
        if b"\r" in start and b"\n" not in start:  # as old spreadsheets end their lines
            return lambda some, last: some.replace(b"\r", b"\n"), start
        return lambda some, last: some, start


def _without_head(blocks: Iterator[Block], skip: int, comment: bytes | None) -> Iterator[Block]:
    """The blocks without so many lines at the start, and without those after them that begin like a comment."""
    for text, line in blocks:
        while text and (skip > 0 or (comment is not None and text.startswith(comment))):
            text, line, skip = text.partition(b"\n")[2], line + 1, skip - 1
        if text:
            yield Block(text, line)
            break
    yield from blocks


def utf_16_or_8(start: bytes) -> str:
    """The encoding of a file without a byte-order mark: in UTF-16 every other byte of plain text is zero, mostly."""
    odd, even = start[1:1000:2], start[:1000:2]
    for encoding, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if len(zeros) > 1 and zeros.count(0) > 0.8 * len(zeros) and others.count(0) < 0.2 * len(others):
            return encoding
    return "utf-8"


class _Hashed(io.RawIOBase):
    """A file whose bytes are hashed as they are read."""

    def __init__(self, raw: BinaryIO, update: Callable[[bytes], None]) -> None:
        self._raw, self._update = raw, update

    def read(self, size: int = -1) -> bytes:
        some = self._raw.read(size)
        self._update(some)
        return some

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        some = self.read(len(buffer))
        buffer[: len(some)] = some
        return len(some)
