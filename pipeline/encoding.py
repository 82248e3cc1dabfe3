"""Sparse examples: a CSR matrix (N, V) on disk, memory-mapped, that never travels without its indexes.

Letters: N examples, V vocabulary, P pairs (the stored entries: a token of an example), F dense features. An example is
a bag: a token that occurs twice is one pair with the count 2, and the order of the records is not kept.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import dataframely as dy
import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.arrays import Growing, blocks, save
from pipeline.bags import Bags
from pipeline.config import Dataset, Part
from pipeline.errors import PipelineError
from pipeline.lookup import look_up
from pipeline.rows import Rows, SparseRows
from pipeline.schemas import PARTS, Examples
from pipeline.sources import as_number
from pipeline.splitting import Assignment, assign
from pipeline.tokens import EXAMPLE, pairs, with_example
from pipeline.vocabulary import UNKNOWN, Vocabulary

Array = npt.NDArray[Any]
TRAIN, VALIDATION, TEST = range(3)
HELD_OUT: tuple[Part, Part] = ("validation", "test")
_BATCH = 1_000_000
"""Pairs that are in memory at once while they are encoded."""
_ARRAYS = ("indptr", "indices", "counts", "parts", "dense", "target")


@dataclass(frozen=True)
class SparseExamples:
    """All examples of a dataset, encoded: N rows over the V tokens of one vocabulary."""

    indptr: Array  # (N + 1,) int64: the pairs of example i are indptr[i]:indptr[i + 1]
    indices: Array  # (P,) int32: the token's integer, ascending within an example
    counts: Array  # (P,) uint32: how often the token occurs in the example
    parts: Array  # (P,) uint8: TRAIN goes in and TEST is predicted, where the example is held out; or the split column
    dense: Array  # (N, F) float64: the dense features, NaN where a record has no value
    target: Array  # (N,) float64: the number to predict, NaN where the task has none
    frame: dy.DataFrame[Examples]  # N rows: the id and the split of each example
    about: Mapping[str, Any]  # vocabulary (its fingerprint), size V, dense (names), by_token, folds, left_out

    def __len__(self) -> int:
        return self.frame.height

    @property
    def shape(self) -> tuple[int, int]:
        """(N, V)."""
        return len(self), self.about["size"]

    @property
    def density(self) -> float:
        """Share of the N x V entries that are stored."""
        return float(len(self.indices) / max(1, len(self) * self.about["size"]))

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any token, split, target or dense feature; kept with what is saved."""
        if "fingerprint" in self.about:
            return str(self.about["fingerprint"])
        hasher = hashlib.sha256(self.about["vocabulary"].encode())
        for name in _ARRAYS:
            for block in blocks(getattr(self, name)):
                hasher.update(block.tobytes())
        for column in (*self.frame.get_columns(), pl.Series(self.about["dense"], dtype=pl.String)):
            hasher.update("\0".join(column.cast(pl.String).fill_null("")).encode())
        return hasher.hexdigest()[:16]

    def decode(self, vocabulary: Vocabulary) -> pl.DataFrame:
        """The records again: each example with its list of tokens, by integer, repeated as often as they occur.

        Raises:
            PipelineError: the vocabulary is not the one that encoded the examples.
        """
        vocabulary.require(self.about["vocabulary"], "the sparse examples")
        example = np.repeat(np.arange(len(self)), np.diff(self.indptr)).repeat(self.counts)
        tokens = pl.DataFrame(
            {"row": example, "token": vocabulary.decode(np.repeat(self.indices, self.counts))},
            schema={"row": pl.Int64, "token": pl.String},
        )
        lists = tokens.group_by("row", maintain_order=True).agg(tokens="token")
        rows = self.frame.with_row_index("row").cast({"row": pl.Int64})
        return rows.join(lists, on="row", how="left", maintain_order="left").select(
            *self.frame.columns, pl.col("tokens").fill_null([])
        )

    @property
    def turns(self) -> int:
        """How often some examples are held out and the others train: once, or once a fold."""
        return self.about["folds"] or 1

    @property
    def n_training(self) -> int:
        """How many examples train, in the turn with the fewest."""
        return min(int((self.split(turn) == TRAIN).sum()) for turn in range(self.turns))

    def split(self, turn: int = 0) -> Array:
        """(N,) the part of each example (index into schemas.PARTS); of folds one is held out and the next validates."""
        if not self.about["folds"]:
            return self.frame["split"].to_physical().to_numpy()
        after = (self.frame["fold"].to_numpy().astype(np.int64) - turn) % self.turns
        return np.select([after == 0, after == 1], [TEST, VALIDATION], TRAIN)

    def training(self, turn: int = 0, refit: bool = False) -> Rows:
        """The training examples, with all that may be seen of them; for a refit those of validation too."""
        last = VALIDATION if refit else TRAIN
        if self.about["by_token"]:
            return self._rows(np.arange(len(self)), seen=range(last + 1), predicted=())
        return self._whole(np.flatnonzero(self.split(turn) <= last))

    def everything(self) -> Rows:
        """All examples with all their tokens: what is kept of folds is fitted on them."""
        return self._whole(np.arange(len(self)))

    def held_out(self, part: Part, turn: int = 0, at_most: int | None = None, seed: int = 0) -> Rows:
        """The examples that judge: of validation or test; what may be seen goes in, the rest is predicted.

        In a regression all tokens go in and the number is predicted.

        Args:
            part: validation or test.
            turn: of folds, which of them is held out.
            at_most: of more examples than that, in all turns together, a sample is taken.
            seed: of the sample.
        """
        code = PARTS.index(part)
        if self.about["by_token"]:
            rows = np.flatnonzero(self._of_parts(np.arange(len(self)), (code,)).lengths)
        else:
            rows = np.flatnonzero(self.split(turn) == code)
        if at_most is not None and len(rows) > -(-at_most // self.turns):
            chosen = np.random.default_rng([seed, code]).permutation(len(rows))[: -(-at_most // self.turns)]
            rows = rows[np.sort(chosen)]
        if self.about["by_token"]:
            return self._rows(rows, seen=range(code), predicted=(code,))
        return self._rows(rows, seen=(TRAIN,), predicted=(TEST,))

    def _whole(self, rows: Array) -> Rows:
        return self._rows(rows, seen=None, predicted=())

    def _rows(self, rows: Array, seen: Iterable[int] | None, predicted: Iterable[int]) -> Rows:
        return Rows(
            ids=self.frame["example"][rows],
            inputs=self._of_parts(rows, seen),
            labels=self._of_parts(rows, predicted),
            dense=self.dense[rows],
            target=self.target[rows],
        )

    def _of_parts(self, rows: Array, parts: Iterable[int] | None) -> SparseRows:
        """These rows, of each the pairs of some parts; None: all its pairs."""
        wanted = np.isin(np.arange(len(PARTS)), [] if parts is None else list(parts))
        of_pairs = None if parts is None else self.parts
        return SparseRows(rows, self.indptr, self.indices, of_pairs, wanted, self.about["size"])

    def save(self, folder: Path) -> None:
        """Write one `.npy` an array, `examples.parquet` and `about.json`."""
        for name in _ARRAYS:
            save(folder / f"{name}.npy", getattr(self, name))
        self.frame.write_parquet(folder / "examples.parquet")
        about = {**self.about, "fingerprint": self.fingerprint}
        (folder / "about.json").write_text(json.dumps(about, indent=2))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; the arrays stay on disk, memory-mapped."""
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
        frame = Examples.validate(pl.read_parquet(folder / "examples.parquet"))
        return cls(**arrays, frame=frame, about=json.loads((folder / "about.json").read_text()))


def encode(records: pl.LazyFrame, vocabulary: Vocabulary, conf: Dataset) -> SparseExamples:
    """Turn the raw records into sparse examples.

    Raises:
        PipelineError: a token is unknown and conf refuses it, or a number of the records is not one.
    """
    assignment = assign(records, conf)
    folds_in = conf.task.kind == "missing_tokens" and not assignment.by_token
    with Bags(len(assignment.examples)) as bags:
        n_unknown = _fill(bags, records, assignment, vocabulary, conf)
        random = np.random.default_rng(conf.seed)
        arrays = [Growing(dtype) for dtype in (np.int64, np.int32, np.uint32, np.uint8)]
        for indptr, indices, counts, parts in bags:
            parts = _fold_in(indptr, conf.task.fold_in, random) if folds_in else parts  # type: ignore[union-attr]
            for array, values in zip(arrays, (np.diff(indptr), indices, counts, parts), strict=True):
                array.append(values)
        lengths, indices, counts, parts = (array.array() for array in arrays)
    n_records, n_used = pl.collect_all([records.select(pl.len()), with_example(records, conf).select(pl.len())])
    target, dense = _numbers(records, assignment.examples, conf)
    return SparseExamples(
        indptr=np.append(0, np.cumsum(lengths)),
        indices=indices,
        counts=counts,
        parts=parts,
        dense=dense,
        target=target,
        frame=assignment.examples,
        about={
            "vocabulary": vocabulary.fingerprint,
            "size": len(vocabulary),
            "dense": list(conf.task.dense) if conf.task.kind == "regression" else [],
            "by_token": assignment.by_token,
            "folds": conf.split.folds or 0,
            "left_out": {"unknown_tokens": n_unknown, "records": n_records.item() - n_used.item()},
        },
    )


def _fill(bags: Bags, records: pl.LazyFrame, assignment: Assignment, vocabulary: Vocabulary, conf: Dataset) -> int:
    """Put every pair with a place in the vocabulary into the bags, batch by batch; how many have none."""
    part = pl.lit(TRAIN, pl.UInt8)
    if assignment.by_token:
        part = pl.col("part").replace_strict({name: i for i, name in enumerate(PARTS)}, return_dtype=pl.UInt8)
    unknown = pl.col("index").is_null()
    found = look_up(pairs(records, conf), "token", vocabulary.tokens["token"], "index")
    if conf.vocabulary.unknown == "share":
        found = found.with_columns(pl.col("index").fill_null(vocabulary.index(UNKNOWN)))
    elif conf.vocabulary.unknown == "refuse":
        first = found.filter(unknown).select("example", "token").head(1).collect()
        if first.height:
            example, token = first.row(0)
            raise PipelineError(
                f"{conf.file}, vocabulary.unknown: the token {token!r} of example {example!r} has no place in the "
                "vocabulary, and conf refuses such tokens. Say `drop` or `share`, or lower `min_count`."
            )
    n_unknown = 0
    entries = look_up(found, "example", assignment.examples["example"], "row", "inner").select(
        "row", "index", part=part
    )
    for batch in entries.collect_batches(chunk_size=_BATCH, maintain_order=False):
        known = batch.drop_nulls("index")
        n_unknown += batch.height - known.height
        bags.add(*(known[name].to_numpy() for name in ("row", "index", "part")))
    return n_unknown


def _fold_in(indptr: Array, share: float, random: np.random.Generator) -> Array:
    """Parts (P,): of each example, when it is held out, a random share goes in (TRAIN), the rest is predicted (TEST).

    Args:
        indptr: (N + 1,) where each example's pairs begin.
        share: of the tokens that goes in; at least one does, and at least one of two or more is predicted.
        random: of the choice.
    """
    lengths = np.diff(indptr)
    example = np.repeat(np.arange(len(lengths)), lengths)
    order = np.argsort(example + random.random(len(example)))  # a block has few examples: enough digits are left
    place = np.empty(len(example), np.int64)
    place[order] = np.arange(len(example)) - indptr[example]
    n_in = np.clip(np.rint(lengths * share), 1, np.maximum(lengths - 1, 1))
    return np.where(place < n_in[example], TRAIN, TEST).astype(np.uint8)


def _numbers(records: pl.LazyFrame, examples: pl.DataFrame, conf: Dataset) -> tuple[Array, Array]:
    """The target (N,) and the dense features (N, F) of the examples, NaN for what is missing.

    Raises:
        PipelineError: a text is not a number, the rows of one example disagree, or the target cannot be used.
    """
    if conf.task.kind != "regression":
        return np.full(examples.height, np.nan), np.empty((examples.height, 0))
    columns = {f"number_{i}": column for i, column in enumerate((conf.task.target, *conf.task.dense))}
    used = with_example(records, conf)
    schema = used.collect_schema()
    rows = used.select(
        example=EXAMPLE, **{name: as_number(column, schema[column]) for name, column in columns.items()}
    ).collect(engine="streaming")
    for name, column in columns.items():
        odd = rows.filter(pl.col(name).is_nan())
        if odd.height:
            example = odd["example"][0]
            said = used.filter(pl.col(EXAMPLE) == example).select(pl.col(column).cast(pl.String)).collect()[column][0]
            raise PipelineError(
                f"{conf.file}, task: column {column!r} should hold numbers, but example {example!r} has {said!r}."
            )
    rows = rows.fill_null(float("nan"))
    rows = rows.unique(maintain_order=True)
    differing = rows.filter(pl.col("example").is_duplicated())
    if differing.height:
        raise PipelineError(
            f"{conf.file}, task: the rows of example {differing['example'][0]!r} differ in {conf.task.target!r} or in "
            "a dense feature. Each example needs one value."
        )
    numbers = examples.select("example").join(rows, on="example", how="left", maintain_order="left")
    matrix = numbers.drop("example").to_numpy().astype(np.float64)
    _require_usable(matrix[:, 0], numbers["example"], conf)
    return matrix[:, 0], np.where(np.isfinite(matrix[:, 1:]), matrix[:, 1:], np.nan)


def _require_usable(target: Array, ids: pl.Series, conf: Dataset) -> None:
    assert conf.task.kind == "regression"
    finite = np.isfinite(target)
    bad = ~finite | (target <= 0) if conf.task.log else ~finite
    if not bad.any():
        return
    first = int(np.flatnonzero(bad)[0])
    problem = "has no logarithm" if finite[first] else "is not a number to learn from"
    cure = " or say `task.log: false`" if finite[first] else ""
    raise PipelineError(
        f"{conf.file}, task.target: {conf.task.target!r} of example {ids[first]!r} is {target[first]:g}, which "
        f"{problem} ({int(bad.sum())} such in all). Leave such records out{cure}."
    )
