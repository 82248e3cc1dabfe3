"""The table of pairs in chunks on a cluster: a task makes the pairs of some files, and all chunks agree on numbers.

A chunk knows its examples and tokens by numbers of its own. Their texts, each once a chunk, are divided by their hashes
into shares, and a task for each share finds which are the same. So no machine holds all pairs, and texts travel once.

Letters: E example numbers, T token numbers, as in `pairs`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.cluster.tasks import at_once, get, start
from pipeline.config.dataset import Dataset
from pipeline.records.pairs.builder import labelled, unlabelled
from pipeline.records.pairs.pair_table import PairTable
from pipeline.records.records import Records

MOST_CHUNKS, MOST_SHARES = 2000, 512
"""The most tasks of a kind: the process that starts them keeps some bytes for what each leaves to each other."""
FILES = 4
"""Files of records that are worth a task, 250,000 records each."""
RECORDS_A_SHARE = 4_000_000


class Chunk(NamedTuple):
    """The pairs of some files. Its numbers of examples and tokens are its own."""

    example: Array  # (b,) uint32
    token: Array  # (b,) uint32
    part: Array  # (b,) uint8, as in `Block`
    weight: Array | None  # (b,) float64
    time: Array | None  # (b,) float64, where time is to divide the pairs
    example_share: Array  # (own examples,) the share in which the example's text is
    token_share: Array  # (own tokens,)


class About(NamedTuple):
    """What the process that started the tasks needs of a chunk."""

    n_pairs: int
    first: Array  # (own examples,) as in `PairTable`; without texts of examples only
    last: Array
    groups: Array  # (own examples, 2)
    odd_part: str | None
    said: Array  # as in `PairTable`


@dataclass(frozen=True)
class Numbers:
    """The numbers that all chunks agree on: those of a share follow those of the share before it."""

    n_chunks: int
    starts: Array  # (shares + 1,)
    same: Sequence[Any]  # for each share, on the cluster: for each chunk, its texts as numbers within the share

    def tell(self, values: Array) -> list[list[Any]]:
        """Send each chunk the values of its own texts: for each chunk a list, by share, of what lies on the cluster.

        `of_own` puts them into the order of the chunk.

        Args:
            values: (E,) or (T,) of each number.
        """
        shares = zip(self.same, pairwise(self.starts), strict=True)
        told = [start(_told, same, values[low:high], returns=self.n_chunks) for same, (low, high) in shares]
        return [list(of_chunk) for of_chunk in zip(*told, strict=True)]

    def added(self, counts: Sequence[Sequence[Any]]) -> Array:
        """The sum for each number of what the chunks count, share by share (see `by_share`).

        Args:
            counts: for each chunk and share, on the cluster: a count of each text.
        """
        shares = zip(self.same, np.diff(self.starts), zip(*counts, strict=True), strict=True)
        return np.concatenate(get([start(_added, same, size, *of_share) for same, size, of_share in shares]))


@dataclass(frozen=True)
class RowNumbers:
    """The numbers of examples that are rows: those of a chunk follow those of the chunk before it."""

    starts: Array  # (chunks + 1,)

    def tell(self, values: Array) -> list[list[Any]]:
        """For each chunk a value for each of its examples."""
        return [[values[low:high]] for low, high in pairwise(self.starts)]


@dataclass(frozen=True)
class DividedPairs:
    """The chunks of a table on the cluster, and what is known here of its examples and tokens."""

    table: PairTable  # without its pairs
    n_pairs: int
    chunks: Sequence[Any]  # on the cluster: a `Chunk` each
    examples: Numbers | RowNumbers
    tokens: Numbers


def divided_pairs(records: Records, conf: Dataset) -> DividedPairs:
    """Make the pairs on the cluster that this process is connected to.

    Raises:
        PipelineError: a column has a dtype from which such tokens cannot be made.
    """
    n_shares = min(max(at_once(), len(records) // RECORDS_A_SHARE), MOST_SHARES)
    chunks, abouts, texts = [], [], []
    for files in _files(records):
        chunk, about, *pieces = start(_made, conf, n_shares, *files, returns=2 + 2 * n_shares)
        chunks.append(chunk)
        abouts.append(about)
        texts.append(pieces)
        if len(abouts) > at_once():
            get(abouts[-at_once()])  # so that no more files wait in the cluster than are worked on
    known: list[About] = get(abouts)
    tokens, frame = _numbered([pieces[n_shares:] for pieces in texts])
    if conf.example is None:
        sizes = [len(about.first) for about in known]
        examples: Numbers | RowNumbers = RowNumbers(np.append(0, np.cumsum(sizes)))
        ids = pl.int_range(sum(sizes), eager=True).cast(pl.String)
        first, last, groups = (
            np.concatenate([getattr(about, name) for about in known]) for name in ("first", "last", "groups")
        )
    else:
        examples, ends = _numbered([pieces[:n_shares] for pieces in texts])
        ids, first, last = ends["text"], ends["first"].to_numpy(), ends["last"].to_numpy()
        has_groups = conf.split.group is not None
        groups = ends.select("group", "last_group").to_numpy() if has_groups else np.empty((0, 2), np.uint64)
    odd = min((about.odd_part for about in known if about.odd_part is not None), default=None)
    of_tokens = labelled(frame.rename({"text": "token"}))
    nothing = np.empty(0, np.uint32)
    said = np.concatenate([about.said for about in known])
    table = PairTable(nothing, nothing, nothing, nothing, first, last, ids, of_tokens, odd, said=said, groups=groups)
    return DividedPairs(table, sum(about.n_pairs for about in known), chunks, examples, tokens)


def _files(records: Records) -> Iterator[list[bytes]]:
    """The content of some files of records for each chunk."""
    files: list[Path] = records.files
    size = max(1, min(FILES, len(files) // at_once()), -(-len(files) // MOST_CHUNKS))
    for i in range(0, len(files), size):
        yield [path.read_bytes() for path in files[i : i + size]]


def _made(conf: Dataset, n_shares: int, *files: bytes) -> tuple[Any, ...]:
    """A `Chunk`, its `About`, and the texts of its examples and of its tokens, a frame for each share."""
    table = unlabelled(pl.concat([pl.read_parquet(BytesIO(file)) for file in files]).lazy(), conf)
    ends = pl.DataFrame({"text": table.ids, "first": table.first, "last": table.last})
    if len(table.groups):
        ends = ends.with_columns(group=table.groups[:, 0], last_group=table.groups[:, 1])
    has_texts = conf.example is not None
    of_examples, examples = (
        _shares(ends, n_shares) if has_texts else (np.zeros(len(ends), np.uint16), [None] * n_shares)
    )
    of_tokens, tokens = _shares(table.tokens.rename({"token": "text"}), n_shares)
    n, weights = len(table), len(table.weight) > 0
    chunk = Chunk(
        np.array(table.example),
        np.array(table.token),
        np.array(table.part) if len(table.part) else np.zeros(n, np.uint8),
        np.array(table.weight) if weights else None,
        np.array(table.time) if conf.split.by_time else None,
        of_examples,
        of_tokens,
    )
    nothing = np.empty(0, np.uint8)
    first, last, groups = (nothing, nothing, nothing) if has_texts else (table.first, table.last, table.groups)
    return (chunk, About(n, first, last, groups, table.odd_part, table.said), *examples, *tokens)


def _shares(frame: pl.DataFrame, n_shares: int) -> tuple[Array, list[pl.DataFrame]]:
    """The share of each row, by the hash of its text, and the rows of each share."""
    share = (frame["text"].hash() % n_shares).to_numpy().astype(np.uint16)
    return share, [frame.filter(pl.Series(share == i)) for i in range(n_shares)]


def _numbered(texts: Sequence[Sequence[Any]]) -> tuple[Numbers, pl.DataFrame]:
    """The numbers of all texts, and a frame with a row for each number.

    Args:
        texts: for each chunk and share, on the cluster: a frame with a row for each of its texts.
    """
    found = [start(_merged, *of_share, returns=2) for of_share in zip(*texts, strict=True)]
    frames: list[pl.DataFrame] = get([frame for frame, _ in found])
    starts = np.append(0, np.cumsum([frame.height for frame in frames]))
    return Numbers(len(texts), starts, [same for _, same in found]), pl.concat(frames)


_MERGED = {
    **dict.fromkeys(("first", "group", "label"), pl.Expr.min),
    **dict.fromkeys(("last", "last_group"), pl.Expr.max),
}
"""What becomes of a column where several chunks have a text."""


def _merged(*frames: pl.DataFrame) -> tuple[pl.DataFrame, list[Array]]:
    """A frame with a row for each different text, and the rows of the texts of each chunk."""
    together = pl.concat(frames)
    columns = (_MERGED[name](pl.col(name)) for name in together.columns if name != "text")
    merged = together.group_by("text").agg(*columns).sort("text")
    numbers = merged.select("text").with_row_index("number")
    same = together.select("text").join(numbers, on="text", how="left", maintain_order="left")["number"].to_numpy()
    return merged, np.split(same, np.cumsum([frame.height for frame in frames])[:-1])


def _told(same: list[Array], values: Array) -> list[Array]:
    return [values[numbers] for numbers in same]


def _added(same: list[Array], size: int, *counts: Array) -> Array:
    total = np.zeros(size, np.int64)
    for numbers, count in zip(same, counts, strict=True):
        total[numbers] += count  # a chunk has each text once
    return total


def of_own(share: Array, told: Sequence[Array]) -> Array:
    """The value of each of a chunk's own numbers, in their order.

    Args:
        share: of each number.
        told: what `tell` says of the chunk.
    """
    together = np.concatenate(told)
    values = np.empty(len(share), together.dtype)
    values[np.argsort(share, kind="stable")] = together
    return values


def by_share(share: Array, values: Array, n_shares: int) -> list[Array]:
    """Values of a chunk's own numbers, share by share."""
    ends = np.cumsum(np.bincount(share, minlength=n_shares))
    return np.split(values[np.argsort(share, kind="stable")], ends[:-1])
