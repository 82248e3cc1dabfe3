"""The vocabulary: the dictionary that maps every token to an integer 0..V-1.

It is counted on training examples only, frozen, and carries a fingerprint that everything downstream checks. How an
example is stored does not belong here.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import dataframely as dy
import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError, nearest
from pipeline.records.pairs.pair_table import PairTable
from pipeline.records.splitting.assignment import Assignment, assign, learned_from
from pipeline.schemas import Tokens
from pipeline.vocabulary.document_frequency import document_frequency
from pipeline.vocabulary.extended import extended

UNKNOWN = "<unknown>"
"""The token that all tokens without a place share, if conf says `unknown: share`."""


@dataclass(frozen=True)
class Vocabulary:
    """Token <-> integer, both ways.

    >>> vocabulary = Vocabulary.of({"Toy Story": 3, "Heat": 5})
    >>> vocabulary.encode(["Toy Story", "Heat", "Alien"]).tolist()
    [1, 0, -1]
    >>> vocabulary.decode([1, 0])
    ['Toy Story', 'Heat']
    """

    tokens: dy.DataFrame[Tokens]
    """One row per token; the row's number is the token's integer. A new vocabulary has the most frequent first; one
    that keeps the integers of an earlier one has them in its order, and what is new behind them."""

    @classmethod
    def of(cls, counts: dict[str, int]) -> "Vocabulary":
        """A vocabulary of these tokens and counts; every token is its own label."""
        frame = pl.DataFrame({"token": list(counts), "label": list(counts), "count": list(counts.values())})
        return cls(_frozen(frame.lazy()))

    def __len__(self) -> int:
        return self.tokens.height

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any token, count or integer; a label decides no number."""
        return self._hashed("token")

    @cached_property
    def fingerprint_with_labels(self) -> str:
        """16 hexadecimal digits that change with any token, label, count or integer."""
        return self._hashed("token", "label")

    def _hashed(self, *columns: str) -> str:
        hasher = hashlib.sha256(self.tokens["count"].to_numpy().tobytes())
        for texts in map(self.tokens.get_column, columns):
            hasher.update(texts.str.len_bytes().to_numpy().tobytes())
            hasher.update(texts.str.join().item().encode())
        return hasher.hexdigest()[:16]

    @cached_property
    def by_count(self) -> npt.NDArray[np.int64]:
        """(V,) the integers of the tokens, the most frequent first; ties in the order of the integers."""
        return np.argsort(-self.tokens["count"].to_numpy().astype(np.int64), kind="stable")

    @property
    def labels(self) -> list[str]:
        """The label that people read for each token, by integer."""
        return self.tokens["label"].to_list()

    def encode(self, tokens: list[str] | pl.Series) -> npt.NDArray[np.int64]:
        """The integer of each token; a token without a place gets that of `<unknown>`, or -1 if there is none."""
        found = self.find(tokens)
        return np.where(found < 0, self.unknown, found)

    def find(self, tokens: list[str] | pl.Series) -> npt.NDArray[np.int64]:
        """The integer of each token; -1 for a token without a place of its own, though such tokens may share one."""
        ids = pl.int_range(len(self), eager=True)
        asked = pl.Series(tokens, dtype=pl.String)
        return asked.replace_strict(self.tokens["token"], ids, default=-1, return_dtype=pl.Int64).to_numpy()

    @property
    def unknown(self) -> int:
        """The integer of `<unknown>`, which tokens without a place share; -1 if they share none."""
        place = self.tokens["token"].index_of(UNKNOWN)
        return -1 if place is None else place

    def decode(self, integers: list[int] | npt.NDArray[np.integer]) -> list[str]:
        """The token of each integer.

        Raises:
            IndexError: an integer is not among 0..V-1.
        """
        integers = np.asarray(integers, np.int64)
        if len(integers) and not (integers.min() >= 0 and integers.max() < len(self)):
            raise IndexError(f"the vocabulary has the integers 0..{len(self) - 1}")
        return self.tokens["token"].gather(integers).to_list()

    def index(self, token: str) -> int:
        """The integer of one token; refuses an unknown token.

        Raises:
            PipelineError: the token has no place; names the nearest that has one.
        """
        found = self.tokens["token"].index_of(token)
        if found is None:
            known = self.tokens["token"].gather(self.by_count[:10_000])
            raise PipelineError(f"{token!r} is not in the vocabulary: {nearest(token, known)}")
        return found

    def beside(self, described: pl.DataFrame) -> pl.DataFrame:
        """The other columns of a frame with a column `token`, in the vocabulary's order; null for a token not in it."""
        return self.tokens.select("token").join(described, on="token", how="left", maintain_order="left").drop("token")

    def require(self, fingerprint: str, what: str) -> None:
        """Refuse something that was made with another vocabulary.

        Raises:
            PipelineError: the fingerprints differ.
        """
        if fingerprint != self.fingerprint:
            raise PipelineError(
                f"{what}: made with the vocabulary {fingerprint}, but this is {self.fingerprint}: "
                "materialise everything downstream of the vocabulary again."
            )

    def save(self, folder: Path) -> None:
        """Write `vocabulary.parquet`."""
        self.tokens.write_parquet(folder / "vocabulary.parquet")

    @classmethod
    def load(cls, folder: Path) -> "Vocabulary":
        """Read what `save` wrote."""
        return cls.of_frame(pl.read_parquet(folder / "vocabulary.parquet"))

    @classmethod
    def of_frame(cls, frame: pl.DataFrame) -> "Vocabulary":
        """A vocabulary from its frame, in the frame's order."""
        return cls(Tokens.validate(frame))


def rule_of_thumb(size: int) -> float:
    """The fourth root of the vocabulary's size V, a usual first guess at D.

    >>> rule_of_thumb(10_000)
    10.0
    """
    return float(size**0.25)


def build_vocabulary(
    table: PairTable, conf: Dataset, assignment: Assignment | None = None, before: Vocabulary | None = None
) -> Vocabulary:
    """Count the tokens of the training examples and keep the frequent ones, ties in the order of the tokens.

    Args:
        table: the pairs of all examples.
        conf: its section `vocabulary` has the minimum count, the maximum size, and what to do with unknown tokens.
        assignment: the split of the table's examples, if it is known already.
        before: an earlier vocabulary whose tokens all keep their integers.

    Raises:
        PipelineError: no token is frequent enough, the examples cannot be split as conf says, or the data has a token
            `<unknown>` of its own although conf says `unknown: share`.
    """
    counts = np.zeros(table.tokens.height, np.int64)
    assignment = assignment or assign(table, conf)
    for block in learned_from(table, assignment, conf):
        counts += np.bincount(block.token, minlength=len(counts))
    shares = document_frequency(table, assignment, conf) if conf.vocabulary.max_share else np.zeros(len(counts))
    return vocabulary_of(table.tokens, counts, shares, conf, before)


def vocabulary_of(
    tokens: pl.DataFrame, counts: Array, shares: Array, conf: Dataset, before: Vocabulary | None
) -> Vocabulary:
    """The vocabulary of tokens that are counted already.

    Args:
        tokens: token and label of T tokens.
        counts: (T,) how often each occurs in training.
        shares: (T,) the share of the training examples that have each, if conf has a largest share.
        conf: see `build_vocabulary`.
        before: see `build_vocabulary`.

    Raises:
        PipelineError: no token is frequent enough, or the data has a token `<unknown>` of its own although conf says
            `unknown: share`.
    """
    settings = conf.vocabulary
    everything = tokens.with_columns(count=pl.Series(counts, dtype=pl.UInt32), share=pl.Series(shares))
    counted = everything.filter(pl.col("count") > 0).sort(["count", "token"], descending=[True, False])
    frequent = counted.filter(pl.col("count") >= settings.min_count)
    kept = frequent.filter(pl.col("share") <= settings.max_share) if settings.max_share else frequent
    if kept.is_empty():
        _refuse(conf, counted.height, frequent.height)
    kept = kept.head(settings.max_size or kept.height)
    if settings.unknown == "share":
        if UNKNOWN in counted["token"]:
            raise PipelineError(
                f"{conf.file}: the data has a token {UNKNOWN!r} of its own: say `vocabulary.unknown: drop`."
            )
        n_rare = int(counted["count"].sum()) - int(kept["count"].sum())
        rare = pl.DataFrame({"token": [UNKNOWN], "label": [UNKNOWN], "count": [n_rare], "share": [0.0]}, kept.schema)
        kept = pl.concat([kept, rare])
    now = _frozen(kept.lazy().drop("share"))
    if before is None:
        return Vocabulary(now)
    shared = UNKNOWN if settings.unknown == "share" else None
    together = extended(before.tokens, now, everything.drop("share"), settings.max_size, shared)
    return Vocabulary(Tokens.validate(together, cast=True))


def _refuse(conf: Dataset, n_tokens: int, n_frequent: int) -> None:
    """Refuse data of which no token is left.

    Raises:
        PipelineError: says which setting left out the last ones.
    """
    settings = conf.vocabulary
    if not n_tokens:
        said = "the training examples have no token at all. Look at the columns that `tokens` names."
    elif not n_frequent:
        said = (
            f"no token is left of {n_tokens}: none occurs {settings.min_count} times in training. "
            "Lower `vocabulary.min_count`."
        )
    else:
        said = (
            f"no token is left of {n_tokens}: each of the {n_frequent} that occur {settings.min_count} times is in "
            f"more than {settings.max_share:.1%} of the training examples. Raise `vocabulary.max_share`."
        )
    raise PipelineError(f"{conf.file}: {said}")


def _frozen(counts: pl.LazyFrame) -> dy.DataFrame[Tokens]:
    """Sort by count, ties by token, so that the integers depend on the tokens and their counts only."""
    return Tokens.validate(counts.sort(["count", "token"], descending=[True, False]).collect(), cast=True)
