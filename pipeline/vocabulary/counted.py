"""A vocabulary and the table of pairs that it was counted from; the sparse examples are made from that table too."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.records.pairs.builder import pair_table
from pipeline.records.pairs.pair_table import PairTable
from pipeline.records.records import Records
from pipeline.records.splitting.assignment import assign
from pipeline.vocabulary.room import require_room
from pipeline.vocabulary.vocabulary import Vocabulary, build_vocabulary

_PAIRS, _MADE_FROM, _PARTS = "pairs", "made_from", "parts.parquet"
_DECIDE = {"example", "tokens", "weight", "split", "task"}
"""Sections of conf that decide which pairs there are."""


@dataclass(frozen=True)
class Kept:
    """What stays as it was the last time."""

    vocabulary: Vocabulary | None = None
    """Its tokens keep their integers."""
    parts: pl.DataFrame | None = None
    """Examples that keep their part, with the columns example, split and group."""


@dataclass(frozen=True)
class Counted:
    """The result of one pass through the records."""

    vocabulary: Vocabulary
    table: PairTable | None
    """None: it was on a cluster."""
    made_from: str
    """What decides the table: the version of the records, and the sections of conf that pairs depend on."""
    parts: pl.DataFrame | None = None
    """Examples that keep their part; see `Kept`."""

    def table_of(self, records: Records, conf: Dataset) -> PairTable:
        """The pairs of these records for conf: the kept table if it was made from the same, or else a new one."""
        if self.table is not None and _made_from(records, conf) == self.made_from:
            return self.table
        return pair_table(records.frame, conf)

    def save(self, folder: Path) -> None:
        """Write the vocabulary, the table, and what the table was made from."""
        self.vocabulary.save(folder)
        if self.table is not None:
            (folder / _PAIRS).mkdir()
            self.table.save(folder / _PAIRS)
        (folder / _MADE_FROM).write_text(self.made_from)
        if self.parts is not None:
            self.parts.write_parquet(folder / _PARTS)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        vocabulary, pairs = Vocabulary.load(folder), folder / _PAIRS
        table = PairTable.load(pairs) if pairs.exists() else None
        parts = pl.read_parquet(folder / _PARTS) if (folder / _PARTS).exists() else None
        return cls(vocabulary, table, (folder / _MADE_FROM).read_text(), parts)


def count(records: Records, conf: Dataset, kept: Kept | None = None) -> Counted:
    """Go through the records and build the vocabulary of the training examples.

    On a cluster the table of pairs stays there, and is not kept.

    Args:
        records: the raw records.
        conf: the dataset.
        kept: what stays as it was the last time.

    Raises:
        PipelineError: no token is frequent enough, the examples cannot be split as conf says, or the data has no room
            for a D of conf; or there is no cluster.
    """
    kept = kept or Kept()
    if conf.engine == "ray":
        from pipeline.vocabulary.divided_counts import count_on_cluster

        counted = count_on_cluster(records, conf, kept.vocabulary, kept.parts)
        return Counted(counted, None, _made_from(records, conf), kept.parts)
    table = pair_table(records.frame, conf)
    assignment = assign(table, conf, kept.parts)
    vocabulary = build_vocabulary(table, conf, assignment, kept.vocabulary)
    require_room(conf, assignment.n_training, len(vocabulary))
    return Counted(vocabulary, table, _made_from(records, conf), kept.parts)


def _made_from(records: Records, conf: Dataset) -> str:
    return f"{records.version} {conf.model_dump_json(include=_DECIDE)}"
