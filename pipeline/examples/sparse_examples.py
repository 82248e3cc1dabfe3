"""Sparse examples: a memory-mapped CSR matrix (N, V), with the ids of its rows and its vocabulary's fingerprint.

Letters: N examples, V vocabulary, P pairs (the stored entries: one token of one example), F dense features. An example
is a bag: a token that occurs twice is one pair with the count 2, and an order is kept only where time splits tokens.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import dataframely as dy
import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.config.records import Part
from pipeline.errors import PipelineError
from pipeline.examples.example_set import ExampleSet, SparseRows
from pipeline.out_of_core.memory_mapped import blocks, load, save
from pipeline.schemas import PARTS, Examples
from pipeline.vocabulary.vocabulary import Vocabulary

TRAIN, VALIDATION, TEST = range(3)
HELD_OUT: tuple[Part, Part] = ("validation", "test")
BORROWED, FEWEST = 0.1, 10
"""The share of the training examples, and the fewest of them, that validate where no others do."""
_ARRAYS = ("indptr", "indices", "counts", "parts", "weights", "dense", "target", "times")


@dataclass(frozen=True)
class SparseExamples:
    """All examples of a dataset, encoded: N rows over the V tokens of one vocabulary."""

    indptr: Array  # (N + 1,) int64: the pairs of example i are indptr[i]:indptr[i + 1]
    indices: Array  # (P,) int32: the token's integer, ascending within an example
    counts: Array  # (P,) uint32: how often the token occurs in the example
    parts: Array  # (P,) uint8: if the example is held out, TRAIN goes in and TEST is predicted; or the split column
    weights: Array  # (P,) float32: what the token counts in the example, 1 on average; empty if all count the same
    dense: Array  # (N, F) float64: the dense features, NaN where a record has no value
    target: Array  # (N,) float64: the number to predict, or the index of the class; NaN where the task has neither
    frame: dy.DataFrame[Examples]  # N rows: the id and the split of each example
    about: Mapping[str, Any]
    """vocabulary (fingerprint), size V, dense and classes (names), by_token, folds, divided, weight (its column), the
    `WeightScale.facts`, pairs, unknown_tokens, unknown (the integer of `<unknown>`, or -1)."""
    times: Array = field(default_factory=lambda: np.empty(0, np.uint32))
    """(P,) uint32: the time of the token in the example, see `recency`; empty where time does not split tokens."""

    def __len__(self) -> int:
        return self.frame.height

    @property
    def shape(self) -> tuple[int, int]:
        """(N, V)."""
        return len(self), self.about["size"]

    @property
    def n_empty(self) -> int:
        """Number of examples without a token of the vocabulary."""
        return int((np.diff(self.indptr) == 0).sum())

    @property
    def density(self) -> float:
        """Share of the N x V entries that are stored."""
        return float(len(self.indices) / max(1, len(self) * self.about["size"]))

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any token, split, target or dense feature; `save` stores them."""
        if "fingerprint" in self.about:
            return str(self.about["fingerprint"])
        hasher = hashlib.sha256(self.about["vocabulary"].encode())
        for name in _ARRAYS:
            for block in blocks(getattr(self, name)):
                hasher.update(block.tobytes())
        names = [*self.about["dense"], *self.about["classes"]]
        for column in (*self.frame.drop("known_by").get_columns(), pl.Series(names, dtype=pl.String)):
            hasher.update(column.cast(pl.String).fill_null("").str.join("\0").item().encode())
        return hasher.hexdigest()[:16]

    def decode(self, vocabulary: Vocabulary) -> pl.DataFrame:
        """The examples, each with its list of tokens by ascending integer, repeated as often as they occur.

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
    def known_by(self) -> pl.Series:
        """(N,) by what a later run knows each example again: its id, or where it has none, what it says."""
        return self.frame.select(pl.coalesce("known_by", "example")).to_series()

    @cached_property
    def groups(self) -> Array | None:
        """(N,) uint64, a fingerprint of the group of each example; None where conf names no column of groups."""
        return None if self.frame["group"].null_count() else self.frame["group"].to_numpy()

    @property
    def n_folds(self) -> int:
        """Number of folds; without folds 1, for the one split."""
        return self.about["folds"] or 1

    @property
    def n_training(self) -> int:
        """Number of training examples; with folds, the fewest that a fold leaves."""
        return min(int((self.split(fold) == TRAIN).sum()) for fold in range(self.n_folds))

    @cached_property
    def borrowed(self) -> Array:
        """The rows of the training examples that validate because no others do; none where some do, or there are few.

        Whatever they decide, each method then learns from them too: `refits`.
        """
        if self.about["folds"] or self.about["by_token"]:
            return np.empty(0, np.int64)
        part = self.frame["split"].to_physical().to_numpy()
        rows = np.flatnonzero(part == TRAIN)
        of = rows if self.groups is None else np.unique(self.groups[rows], return_inverse=True)[1]
        different = np.unique(of)
        n = max(round(BORROWED * len(different)), FEWEST)
        if (part == VALIDATION).any() or not (part == TEST).any() or len(different) < 4 * n:
            return np.empty(0, np.int64)
        return rows[np.isin(of, np.random.default_rng(0).permutation(different)[:n])]

    def refits(self, asked: bool) -> bool:
        """Whether a fit learns from the validation examples too, once they have decided: if asked, or borrowed."""
        return asked or len(self.borrowed) > 0

    def split(self, fold: int = 0) -> Array:
        """(N,) the part of each example (index into schemas.PARTS); `fold` is held out, and the next one validates."""
        if not self.about["folds"]:
            part = self.frame["split"].to_physical().to_numpy().copy()
            part[self.borrowed] = VALIDATION
            return part
        after = (self.frame["fold"].to_numpy().astype(np.int64) - fold) % self.n_folds
        return np.select([after == 0, after == 1], [TEST, VALIDATION], TRAIN)

    def require_something_to_learn(self, where: str) -> None:
        """Refuse training examples of which none differs from another.

        Args:
            where: the conf file's name, for the message.

        Raises:
            PipelineError: all have the same tokens.
        """
        for fold in range(self.n_folds):
            inputs = self.training(fold).inputs
            if inputs.cut(slice(1000)).are_the_same and inputs.are_the_same:  # the first ones nearly always differ
                raise PipelineError(
                    f"{where}, tokens: all {len(inputs)} training examples have the same tokens, so nothing tells one "
                    "from another. Look at `example`, which says what rows are one, and at the columns of `tokens`."
                )

    def training(self, fold: int = 0, refit: bool = False) -> ExampleSet:
        """The training examples with all their tokens that may be seen; a refit includes validation."""
        last = VALIDATION if refit else TRAIN
        rows = np.flatnonzero(self.split(fold) <= last)
        return self._rows(rows, seen=range(last + 1) if self.about["by_token"] else None, predicted=())

    def everything(self) -> ExampleSet:
        """All examples with all their tokens: with folds, the fit that is kept learns from them."""
        return self._rows(np.arange(len(self)), seen=None, predicted=())

    def held_out(self, part: Part, fold: int = 0, at_most: int | None = None, seed: int = 0) -> ExampleSet:
        """The held-out examples of a part: tokens that may be seen are inputs, tokens to predict are labels.

        If the task predicts no tokens, all of them are inputs. Where tokens are split, an example without a token of
        the part is not among them, nor is one without an earlier token, for which no method could know anything.

        Args:
            part: validation or test.
            fold: the fold that is held out.
            at_most: take a sample if there are more examples than this; with folds, `at_most` is divided among them.
            seed: seed of the sample.
        """
        code = PARTS.index(part)
        if self.about["by_token"]:
            everyone = np.arange(len(self))
            rows = np.flatnonzero(
                (self._of_parts(everyone, (code,)).lengths > 0) & (self._of_parts(everyone, range(code)).lengths > 0)
            )
        else:
            rows = np.flatnonzero(self.split(fold) == code)
        if at_most is not None and len(rows) > -(-at_most // self.n_folds):
            chosen = np.random.default_rng([seed, code]).permutation(len(rows))[: -(-at_most // self.n_folds)]
            rows = rows[np.sort(chosen)]
        if self.about["by_token"]:
            return self._rows(rows, seen=range(code), predicted=(code,))
        return self._rows(rows, seen=(TRAIN,), predicted=(TEST,))

    def _rows(self, rows: Array, seen: Iterable[int] | None, predicted: Iterable[int]) -> ExampleSet:
        return ExampleSet(
            ids=self.frame["example"][rows],
            groups=self.groups[rows] if self.groups is not None else None,
            inputs=self._of_parts(rows, seen),
            labels=self._of_parts(rows, predicted),
            dense=self.dense[rows],
            target=self.target[rows],
            classes=tuple(self.about["classes"]),
            unknown=self.about["unknown"],
        )

    def _of_parts(self, rows: Array, parts: Iterable[int] | None) -> SparseRows:
        """A view of these rows, with the pairs of the given parts; None: with all pairs."""
        wanted = np.isin(np.arange(len(PARTS)), [] if parts is None else list(parts))
        of_pairs = None if parts is None else self.parts
        weights = self.weights if len(self.weights) else None
        times = self.times if len(self.times) else None
        return SparseRows(rows, self.indptr, self.indices, of_pairs, wanted, self.about["size"], weights, times)

    def save(self, folder: Path) -> None:
        """Write one `.npy` file per array, `examples.parquet` and `about.json`."""
        with ThreadPoolExecutor(1) as beside:
            fingerprint = beside.submit(lambda: self.fingerprint)
            for name in _ARRAYS:
                save(folder / f"{name}.npy", getattr(self, name))
            self.frame.write_parquet(folder / "examples.parquet")
        about = {**self.about, "fingerprint": fingerprint.result()}
        (folder / "about.json").write_text(json.dumps(about, indent=2))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; the arrays stay on disk, memory-mapped."""
        arrays = {name: load(folder / f"{name}.npy") for name in _ARRAYS}
        frame = pl.read_parquet(folder / "examples.parquet")
        if "group" not in frame.columns:  # an earlier version wrote it
            frame = frame.with_columns(group=pl.lit(None, pl.UInt64))
        frame = Examples.validate(frame)
        return cls(**arrays, frame=frame, about=json.loads((folder / "about.json").read_text()))
