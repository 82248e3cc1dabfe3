"""The answers of a fit of missing tokens: for a list, the tokens that are missing from it, and why."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
from scipy import sparse

from pipeline.arrays import Array
from pipeline.embedding import factors_of
from pipeline.errors import PipelineError, first_line
from pipeline.evaluation.ranking import decay_of
from pipeline.examples.recency import counted
from pipeline.inference.best_tokens import Best, BestTokens, ProductIndex, recall
from pipeline.inference.known_tokens import Unknown
from pipeline.inference.model import Model
from pipeline.inference.requests import Rows, checked_params, require, require_rows, texts, whole
from pipeline.inference.saved_fit import Material, conf_of, load_fitted

INDEX = "items.usearch"
"""The file of the index, where there is one."""
MOST_ASKED = 1_000
"""So many tokens are recommended at most."""
_EXPLAINED_BY = 200
"""Given tokens that are looked at to explain one list."""
_PULLS = 3
"""Given tokens that are named for each recommended one."""


@dataclass(frozen=True)
class Recommended:
    """The tokens that are missing from one list."""

    frame: pl.DataFrame
    """The best first: token, label, count, score, because (given tokens that pull most towards it, with how much the
    score falls without them), and the columns that describe tokens."""
    unknown: list[Unknown]
    """What was given and is no token, each with labels that may have been meant."""

    def __repr__(self) -> str:
        unknown = (
            f"\nunknown: {one.given!r}" + (f", did you mean {one.suggestions[0]!r}?" if one.suggestions else "")
            for one in self.unknown
        )
        return f"{self.frame}{''.join(unknown)}"


class Recommender(Model):
    """Recommends the tokens that are missing from a list."""

    options: ClassVar[Mapping[str, Any]] = {"k": 10, "exclude": [], "where": "", "why": True}

    @classmethod
    def prepare(cls, folder: Path, material: Material) -> dict[str, Any]:
        """Write an index if there are many tokens, and measure how many of the exact answers it finds."""
        fitted, most = load_fitted(folder), conf_of(folder).inference.exact_up_to
        factors = factors_of(fitted)
        if factors is None or len(fitted.embedding.vocabulary) <= most:
            return {}
        ProductIndex.of(factors.items).save(folder / INDEX)
        return {"recall": recall(BestTokens(fitted, most, folder / INDEX))}

    @property
    def uses_index(self) -> bool:
        """Whether answers come from an index."""
        return not self.best.is_exact

    @cached_property
    def best(self) -> BestTokens:
        """Finds the best tokens of lists."""
        index = self.folder / INDEX
        return BestTokens(self.fitted, self.conf.inference.exact_up_to, index if index.exists() else None)

    def recommend(
        self, tokens: Sequence[str], k: int = 10, exclude: Sequence[str] = (), where: str = "", why: bool = True
    ) -> Recommended:
        """The k tokens that are most probably missing from a list; those in it are never among them.

        Args:
            tokens: the list, as tokens or labels, in its order if it has one, the latest last. Of an empty list, the
                answer is what is popular.
            k: how many.
            exclude: tokens or labels that are left out.
            where: a condition in SQL on `token`, `label`, `count` and the columns that describe tokens, such as
                `genres like '%Comedy%' and year > 1990`.
            why: whether to tell which of the given tokens pull most towards each.

        Raises:
            PipelineError: the list is none of texts, k is no whole number from 1, or the condition cannot be read.
        """
        return self.recommend_all([tokens], k, exclude, where, why)[0]

    def recommend_all(
        self,
        lists: Sequence[Sequence[str]],
        k: int = 10,
        exclude: Sequence[str] = (),
        where: str = "",
        why: bool = True,
    ) -> list[Recommended]:
        """The answer of `recommend` for each of several lists."""
        require(lists, Iterable, "lists", "a list of lists")
        require(where, str | None, "where", "a condition in SQL")
        asked = [texts(one, f"list {i}", math.inf) for i, one in enumerate(lists, 1)]
        excluded = texts(exclude, "exclude", math.inf)
        return [
            Recommended(self._frame(best, because), unknown)
            for best, because, unknown in self._found(asked, k, excluded, where, why)
        ]

    def _found(
        self, lists: Sequence[Sequence[str]], k: int, exclude: Sequence[str], where: str, why: bool
    ) -> Iterator[tuple[Best, list[list[dict[str, Any]]], list[Unknown]]]:
        """For each list its best tokens (K,), the given tokens that pull towards each of them, and unknown texts."""
        inputs, unknown = self.encoded(lists)
        best = self.best.of(inputs, whole(k, "k"), self._left_out(tuple(exclude), where))
        for i, tokens in enumerate(best.tokens):
            there = tokens >= 0
            of_list = Best(tokens[there], best.scores[i][there])
            because = self._because(inputs[i], *of_list) if why else [[] for _ in of_list.tokens]
            yield of_list, because, unknown[i]

    def encoded(self, lists: Sequence[Sequence[str]]) -> tuple[sparse.csr_matrix, list[list[Unknown]]]:
        """Lists of tokens or labels as rows (N, V), and the texts of each list that are no token."""
        given = [text for one in lists for text in one]
        integers, ends = self.known.find(given), np.cumsum([0, *map(len, lists)])
        unknown = [self.known.unknown(given[start:stop], integers[start:stop]) for start, stop in pairwise(ends)]
        of_unknown = self.embedding.vocabulary.unknown  # as in a file, with `unknown: share`
        integers = np.where(integers < 0, of_unknown, integers)
        rows, moments = [], []
        for start, stop in pairwise(ends):
            places = integers[start:stop]
            tokens, first = np.unique(places[places >= 0], return_index=True)
            rows.append(tokens.astype(np.int32))
            moments.append(first)
        indices, came = (np.concatenate([np.empty(0, np.int32), *of_each]) for of_each in (rows, moments))
        indptr = np.cumsum([0, *map(len, rows)])
        counts = counted(np.diff(indptr), came, decay_of(self.fitted))
        return sparse.csr_matrix((counts, indices, indptr), (len(lists), len(self.embedding.vocabulary))), unknown

    def answers(self, rows: Rows, options: Mapping[str, Any]) -> list[dict[str, Any]]:
        """For each row its `recommendations`, the best first, and in `unknown` the texts that are no token."""
        require_rows(rows)
        asked = checked_params(options, self.options)
        lists = [_list_of(row, f"row {i + 1}") for i, row in enumerate(rows)]
        k = whole(asked["k"], "params, k", MOST_ASKED)
        exclude = texts(asked["exclude"], "params, exclude")
        return [
            {
                "recommendations": self._told(best, because),
                "unknown": [{"given": text.given, "suggestions": text.suggestions} for text in unknown],
            }
            for best, because, unknown in self._found(lists, k, exclude, asked["where"], asked["why"])
        ]

    def _told(self, best: Best, because: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """The best tokens of a list as plain data."""
        tokens = self.embedding.vocabulary.tokens
        names = (tokens[name].gather(best.tokens).to_list() for name in ("token", "label"))
        rows = zip(*names, best.scores.tolist(), because, strict=True)
        return [dict(zip(("token", "label", "score", "because"), one, strict=True)) for one in rows]

    def columns(self) -> dict[str, str]:
        """One column, `tokens`."""
        return {"tokens": "texts"}

    def example(self) -> list[dict[str, Any]]:
        """The labels of the three most frequent tokens."""
        vocabulary = self.embedding.vocabulary
        return [{"tokens": [vocabulary.labels[i] for i in vocabulary.by_count[:3]]}]

    def _left_out(self, exclude: tuple[str, ...], where: str) -> Array | None:
        """(V,) marks the tokens that are excluded or that a condition does not choose; None: there are none."""
        if not exclude and not where:
            return None
        left_out = ~self._chosen(where) if where else np.zeros(len(self.embedding.vocabulary), bool)
        places = self.known.find(exclude)
        left_out[places[places >= 0]] = True
        return left_out

    @cached_property
    def _chosen(self) -> Any:
        """A function that gives the tokens that a condition chooses; it keeps the last answers."""
        tokens = pl.concat([self.embedding.vocabulary.tokens, self.about], how="horizontal")

        @lru_cache(32)
        def chosen(where: str) -> Array:
            try:
                is_chosen = tokens.select(pl.sql_expr(where).fill_null(False))
                if is_chosen.dtypes != [pl.Boolean] or is_chosen.height != tokens.height:
                    raise PipelineError(f"params, where: {where!r} is no condition, such as `count > 10`.")
            except pl.exceptions.PolarsError as error:
                said, columns = first_line(error), ", ".join(tokens.columns)
                message = f"params, where: {where!r} cannot be read: {said}. There are the columns {columns}."
                raise PipelineError(message) from None
            return is_chosen.to_series().to_numpy()

        return chosen

    def _frame(self, best: Best, because: list[list[dict[str, Any]]]) -> pl.DataFrame:
        """The best tokens of one list."""
        pulls = pl.Struct({"token": pl.String, "label": pl.String, "pull": pl.Float64})
        frame = self.described(best.tokens)
        frame.insert_column(3, pl.Series("score", best.scores, dtype=pl.Float32))
        return frame.insert_column(4, pl.Series("because", because, dtype=pl.List(pulls)))

    def _because(self, inputs: sparse.csr_matrix, tokens: Array, scores: Array) -> list[list[dict[str, Any]]]:
        """For each token, the given ones without which its score falls most, and by how much."""
        given = inputs.indices
        if not len(given) or not len(tokens):
            return [[] for _ in tokens]
        if len(given) > _EXPLAINED_BY:  # only those that lie nearest to what is recommended are looked at
            near = np.max(self._unit[given] @ self._unit[tokens].T, axis=1)
            given = np.sort(given[np.argsort(-near, kind="stable")[:_EXPLAINED_BY]])
        others = [np.flatnonzero(inputs.indices != token) for token in given]
        rows, indptr = np.concatenate(others), np.append(0, np.cumsum([len(row) for row in others]))
        shape = (len(given), inputs.shape[1])
        without = sparse.csr_matrix((inputs.data[rows], inputs.indices[rows], indptr), shape=shape)
        pulls = scores - self._scores(without, tokens)  # (given, tokens)
        order = np.argsort(-pulls, axis=0, kind="stable")[:_PULLS]
        named = self.embedding.vocabulary.tokens[given].select("token", "label").rows(named=True)
        return [
            [{**named[i], "pull": round(float(pulls[i, j]), 6)} for i in order[:, j] if pulls[i, j] > 0]
            for j in range(len(tokens))
        ]

    def _scores(self, inputs: sparse.csr_matrix, tokens: Array) -> Array:
        """(N, n) the scores of some tokens for lists (N, V)."""
        factors = self.best.factors
        if factors is not None:
            return np.asarray(factors.queries(inputs) @ factors.items[tokens].T)
        return self.fitted.score(inputs, np.empty((inputs.shape[0], 0)))[:, tokens]


def _list_of(row: Mapping[str, Any], where: str) -> list[str]:
    """The list of a row."""
    for name in row:
        if name != "tokens":
            raise PipelineError(f"{where}: there is no field {name!r}; there is: tokens, a list of tokens or labels.")
    tokens = texts(row.get("tokens"), f"{where}, tokens")
    if not tokens:
        raise PipelineError(f"{where}, tokens: is empty. Give at least one token or label.")
    return tokens
