"""How far the nearest tokens of an embedding hold: whether other examples of the same kind would show the same ones.

An embedding is one fit to one sample, and its lists of nearest tokens depend on that sample more than they show
(Antoniak and Mimno, 2018, TACL 6; Wendlandt et al., 2018, NAACL). So the same is learned again from halves of the
examples. The two halves of a pair share no example, as in complementary pairs stability selection (Shah and Samworth,
2013, JRSS B 75): what both find, they have not learned from the same examples. Bootstrap samples share most of theirs,
and with them what they remember of a rare token, so that they agree on much that no other sample would show.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.arrays import Array
from pipeline.similarity.nearest import NEAREST

_MUCH = 0.05
"""A larger overlap by chance is told beside the stability."""


@dataclass(frozen=True)
class Stability:
    """How far the nearest tokens of each token hold."""

    scores: npt.NDArray[np.float32]  # (V,) from 0 to 1
    """Share of a token's nearest that the two halves of a pair have in common, mean over the pairs."""
    nearest: npt.NDArray[np.int32]  # (V, K), -1 where there are fewer
    """The nearest tokens of each token, nearest first."""
    support: npt.NDArray[np.uint8]  # (V, K)
    """In how many replicas each of them is among the nearest."""
    replicas: int
    """How many replicas there are."""

    @property
    def median(self) -> float:
        """The median of the tokens' stability."""
        return float(np.median(self.scores))

    def support_of(self, token: int, others: Sequence[int]) -> list[int | None]:
        """In how many replicas each of some tokens is among the nearest of a token; None: it is not in the fit itself.

        Args:
            token: integer of the token.
            others: integers of the others.
        """
        known = dict(zip(self.nearest[token].tolist(), self.support[token].tolist(), strict=True))
        return [known.get(int(other)) for other in others]

    def reordered(self, order: Array) -> "Stability":
        """The same where token `order[i]` has the integer i."""
        place = np.append(np.argsort(order), -1).astype(np.int32)  # -1, no token, picks the last
        return Stability(self.scores[order], place[self.nearest[order]], self.support[order], self.replicas)

    def columns(self) -> list[pl.Series]:
        """The columns `stability`, `nearest` and `support`, a row for each token."""
        k = self.nearest.shape[1]
        return [
            pl.Series("stability", self.scores, pl.Float32),
            pl.Series("nearest", self.nearest, pl.Array(pl.Int32, k)),
            pl.Series("support", self.support, pl.Array(pl.UInt8, k)),
        ]

    @classmethod
    def of_columns(cls, frame: pl.DataFrame, replicas: int) -> "Stability":
        """What `columns` gave."""
        scores, nearest, support = (frame[name].to_numpy() for name in ("stability", "nearest", "support"))
        return cls(scores, nearest, support, replicas)


def stability_of(nearest: Array, replicas: Sequence[Array]) -> Stability:
    """The stability of an embedding's tokens.

    Args:
        nearest: (V, K) the nearest tokens of each token in the embedding, from `nearest_tokens`.
        replicas: the same (V, K) in each replica, in pairs of which each shares no example; the last may stand alone.
    """
    pairs = list(zip(replicas[::2], replicas[1::2], strict=False))
    k = max(1, min(nearest.shape[1], len(nearest) - 1))
    scores = sum((_common(one, other).sum(axis=1) for one, other in pairs), np.zeros(len(nearest)))
    support = sum((_common(nearest, one).astype(np.uint8) for one in replicas), np.zeros(nearest.shape, np.uint8))
    return Stability((scores / (k * len(pairs))).astype(np.float32), nearest.astype(np.int32), support, len(replicas))


def by_chance(n_tokens: int) -> str:
    """What the stability would be if the nearest tokens were drawn, as a sentence, where that is much; or empty.

    Each of the 10 that are drawn of 80 others is among the 10 of another draw in 10 of 80 cases: 12.5%.
    """
    share = min(NEAREST / max(n_tokens - 1, 1), 1.0)
    return f" Neighbours drawn at random would agree on {share:.0%}." if share >= _MUCH else ""


def _common(one: Array, other: Array) -> Array:
    """(V, K) whether each token of one list is in the other list of the same row."""
    found = np.zeros(one.shape, bool)
    for column in other.T:
        found |= one == column[:, None]
    return found & (one >= 0)
