"""Raw records -> one table of (example, token, part, weight) pairs, as numbers, in one pass through the records.

The split, the vocabulary and the sparse examples are made from this table. The vocabulary decides which integer a token
gets in the end.

Letters: P pairs, E example numbers.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.out_of_core.growing import Growing
from pipeline.records.columns import number
from pipeline.records.pairs.pair_table import NO_RECORD, PairTable
from pipeline.records.pairs.text_numbers import TextNumbers, numbers_or_nulls
from pipeline.records.pairs.time_split import split_by_time
from pipeline.records.pairs.used_records import EXAMPLE, content, fingerprints, with_example
from pipeline.records.tokens.naming import texts_of, written
from pipeline.records.values.times import time
from pipeline.schemas import PARTS, SAYS_PART

NO_PART = len(PARTS)
"""The part of a record whose split column names none of the three."""
NO_GROUP = np.array([2**64 - 1, 0], np.uint64)
"""The lowest and the highest fingerprint of no group."""
_LABELS = 250_000
"""Labels that wait in memory for the smallest of each token."""
_DTYPES = {"example": np.uint32, "token": np.uint32, "part": np.uint8, "weight": np.float64, "time": np.float64}


def pair_table(records: pl.LazyFrame, conf: Dataset) -> PairTable:
    """Go through the records once, and number examples and tokens in the order in which they come.

    Args:
        records: the raw records.
        conf: the dataset.

    Raises:
        PipelineError: a column has a dtype from which such tokens cannot be made.
    """
    table = unlabelled(records, conf)
    table = replace(table, tokens=labelled(table.tokens))
    return split_by_time(table, records.collect_schema(), conf) if conf.split.by_time else table


def labelled(tokens: pl.DataFrame) -> pl.DataFrame:
    """Tokens and their labels; one without a label is its own."""
    return tokens.select("token", pl.coalesce("label", "token"))


def unlabelled(records: pl.LazyFrame, conf: Dataset, only_read: bool = False) -> PairTable:
    """The table of pairs, whose tokens have no label where no record gives them one; see `pair_table`.

    Args:
        records: the raw records.
        conf: the dataset.
        only_read: whether nothing is learned from them: examples then come in the order of the records, and nothing is
            noted by which a later run could know them.
    """
    builder = _Builder(conf, only_read)
    used = with_example(records, conf)
    batches = used.select(builder.columns(used.collect_schema())).collect_batches(
        chunk_size=builder.rows_at_once, maintain_order=only_read
    )
    for batch in batches:
        for some in batch.iter_slices(builder.rows_at_once):
            builder.add(some)
    return builder.table()


class _Builder:
    """Collects pairs batch by batch."""

    def __init__(self, conf: Dataset, only_read: bool) -> None:
        self.conf, self.notes_rows = conf, conf.example is None and not only_read
        self.kinds = [(tokens, column) for tokens in conf.tokens for column in tokens.columns]
        self.examples, self.tokens = TextNumbers(), TextNumbers()
        self.arrays = {name: Growing(dtype) for name, dtype in _DTYPES.items()}
        self.nothing = (np.inf, -np.inf) if conf.split.by_time else (np.uint8(NO_RECORD), np.uint8(0))
        self.first, self.last = (np.full(0, none) for none in self.nothing)
        # the number of an example without an id, and what it says
        self.said = (Growing(np.uint32), Growing(np.uint64)) if self.notes_rows else None
        self.groups = np.empty((0, 2), np.uint64)
        self.labels: list[pl.DataFrame] = []
        self.odd: list[str] = []

    @property
    def rows_at_once(self) -> int:
        return min(tokens.rows_at_once for tokens, _ in self.kinds)

    def columns(self, schema: pl.Schema) -> list[pl.Expr]:
        """Expressions for the example, for its part, and for the tokens and labels of each token column."""
        has_ids = self.conf.example is not None
        columns = [(pl.col(EXAMPLE) if has_ids else pl.col(EXAMPLE).cast(pl.UInt32)).alias("example")]
        if self.notes_rows:
            columns.append(content(self.conf, schema).alias("said"))
        if self.conf.split.column is not None:
            value = pl.col(self.conf.split.column).cast(pl.String)
            places = {name: PARTS.index(part) for name, part in SAYS_PART.items()}
            place = value.str.to_lowercase().replace_strict(places, default=NO_PART, return_dtype=pl.UInt8)
            columns.append(place.alias("part"))
            columns.append(pl.when(place == NO_PART).then(value.fill_null("None")).alias("odd"))
        if self.conf.split.time is not None:
            columns.append(time(self.conf.split.time, schema).alias("time"))
        if self.conf.split.group is not None:
            columns.append(pl.col(self.conf.split.group).cast(pl.String).alias("group"))
        if self.conf.weight is not None:
            columns.append(number(self.conf.weight, schema).alias("weight"))
        for i, (tokens, column) in enumerate(self.kinds):
            texts = texts_of(tokens, column, schema[column], self.conf)
            if tokens.gives_lists:
                columns.append(texts.alias(f"texts_{i}"))
                if self.conf.split.by_order:
                    columns.append(pl.int_ranges(texts.list.len()).cast(pl.List(pl.Float64)).alias("time"))
                continue
            token = written(tokens, column, self.conf, texts)
            columns.append(token.alias(f"token_{i}"))
            label = tokens.label_text()
            if label is not None:
                columns.append(pl.coalesce(label, token).alias(f"label_{i}"))
        return columns

    def add(self, batch: pl.DataFrame) -> None:
        """Add the pairs of a batch of records."""
        by = next((name for name in ("part", "time") if name in batch.columns), None)
        part = batch[by].to_numpy() if by and not self.conf.split.by_order else np.zeros(batch.height, np.uint8)
        batch = self._numbered(batch)
        if self.said is not None:
            self.said[0].append(batch["example"].to_numpy())
            self.said[1].append(fingerprints(batch["said"]))
        last = batch["time"].list.last().fill_null(0).to_numpy() if self.conf.split.by_order else part
        self._note_examples(batch["example"].to_numpy(), part, last)
        if self.conf.split.group is not None:
            self._note_groups(batch["example"].to_numpy(), batch["group"])
        if by == "part" and (part == NO_PART).any():
            self.odd.append(str(batch["odd"].min()))
        for i, (tokens, column) in enumerate(self.kinds):
            own = [name for name in ("example", "part", "weight", "time") if name in batch.columns]
            if tokens.gives_lists:
                several = ["text", "time"] if self.conf.split.by_order else ["text"]
                listed = batch.select(*own, text=f"texts_{i}")
                exploded = listed.explode(several, empty_as_null=False, keep_nulls=False)
                pairs = exploded.select(*own, token=written(tokens, column, self.conf, pl.col("text")))
                pairs = pairs.drop_nulls("token")
                pairs = pairs.with_columns(token=pl.Series(self.tokens.of(pairs["token"]), dtype=pl.UInt32))
            else:
                label = [pl.col(f"label_{i}").alias("label")] if f"label_{i}" in batch.columns else []
                pairs = batch.select(*own, *label, token=f"token_{i}")
                pairs = pairs.drop_nulls("token") if pairs["token"].null_count() else pairs
                if label:
                    self._note_labels(pairs)
            for name, array in self.arrays.items():
                if name in pairs.columns:
                    array.append(pairs[name].to_numpy())

    def _numbered(self, batch: pl.DataFrame) -> pl.DataFrame:
        """The batch with numbers instead of texts where a row has one text; examples and tokens run in parallel."""
        tokens = [f"token_{i}" for i, (kind, _) in enumerate(self.kinds) if not kind.gives_lists]
        example = []
        with ThreadPoolExecutor(1) as beside:
            if self.conf.example is not None:
                example.append(beside.submit(self.examples.of, batch["example"]))
            numbers = [numbers_or_nulls(self.tokens, batch[name]) for name in tokens]
        return batch.with_columns(
            *(pl.Series("example", found.result(), dtype=pl.UInt32) for found in example), *numbers
        )

    def _note_examples(self, example: Array, first: Array, last: Array) -> None:
        missing = (int(example.max()) + 1 if len(example) else 0) - len(self.first)
        if missing > 0:
            more = max(missing, len(self.first))  # at least twice the size, so that it seldom grows
            self.first, self.last = (
                np.append(ends, np.full(more, none))
                for ends, none in zip((self.first, self.last), self.nothing, strict=True)
            )
        if self.conf.split.column is None and not self.conf.split.by_time:
            self.first[example] = 0
        else:
            np.minimum.at(self.first, example, first)
            np.maximum.at(self.last, example, last)

    def _note_groups(self, example: Array, group: pl.Series) -> None:
        """Keep the lowest and the highest fingerprint of each example's groups so far."""
        missing = len(self.first) - len(self.groups)
        if missing > 0:
            more = np.empty((missing, 2), np.uint64)
            more[:] = NO_GROUP
            self.groups = np.concatenate([self.groups, more])
        texts = group.unique()
        marks = pl.DataFrame({"group": texts, "mark": fingerprints(texts)})
        mark = group.to_frame("group").join(marks, on="group", how="left", maintain_order="left")["mark"].to_numpy()
        np.minimum.at(self.groups[:, 0], example, mark)
        np.maximum.at(self.groups[:, 1], example, mark)

    def _note_labels(self, pairs: pl.DataFrame) -> None:
        """Keep the smallest label of each token so far."""
        self.labels.append(_smallest([pairs]))
        if sum(frame.height for frame in self.labels[1:]) > max(_LABELS, self.labels[0].height):
            self.labels = [_smallest(self.labels)]

    def table(self) -> PairTable:
        """The table of all pairs."""
        numbers = int(np.flatnonzero(self.first != self.nothing[0]).max(initial=-1)) + 1
        ids = pl.int_range(numbers, eager=True).cast(pl.String) if self.conf.example is None else self.examples.texts()
        tokens = pl.DataFrame({"number": np.arange(len(self.tokens), dtype=np.uint32), "token": self.tokens.texts()})
        labels = _smallest(self.labels).rename({"token": "number"})
        tokens = tokens.join(labels, on="number", how="left", maintain_order="left").drop("number")
        example, token, part, weight, time = (array.array() for array in self.arrays.values())
        first, last, odd = self.first[:numbers], self.last[:numbers], min(self.odd, default=None)
        says = np.zeros(len(self.first) if self.said is not None else 0, np.uint64)
        if self.said is not None:
            rows, fingerprint = (array.array() for array in self.said)
            says[rows] = fingerprint
        groups = self.groups[:numbers]
        return PairTable(
            example, token, part, weight, first, last, ids, tokens, odd, time, said=says[:numbers], groups=groups
        )


def _smallest(labels: list[pl.DataFrame]) -> pl.DataFrame:
    """The smallest label of each token number."""
    nothing = pl.DataFrame(schema={"token": pl.UInt32, "label": pl.String})
    found = pl.concat([nothing, *(frame.select("token", "label") for frame in labels)])
    return found.group_by("token").agg(pl.col("label").min())
