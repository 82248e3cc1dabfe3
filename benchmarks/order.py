"""Lists with an order: what the default finds in them, beside the same lists as bags, and baselines, which see bags.

What comes next may depend on the last token, or on the last few, or on no order at all. Where it depends on an order,
that is planted; where it does not, nothing is to be gained.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.lists import Contest
from pipeline.baselines.als import Als
from pipeline.baselines.ease import Ease
from pipeline.estimators import EMBEDDING, PCA

Array = npt.NDArray[Any]
Next = Callable[[list[int], np.random.Generator], Array]

V, GROUPS, LISTS, SHORTEST, LONGEST = 200, 20, 1500, 8, 20
DIMENSIONS, SEEDS = (8, 32), (1, 2, 3)
_RARE = 0.03
"""How likely the tokens of other groups are, as a share."""
CONF = """\
description: Planted lists with an order.
source: {path: lists.parquet}
tokens: [{kind: items, columns: tokens}]
split: {hold_out: last}
task: {kind: missing_tokens}
dimensions: [8]
baselines: [popularity]
"""
_GROUP = np.arange(V) % GROUPS


def _of_groups(*groups: int) -> Array:
    """(V,) how likely the tokens of some groups are, and the others."""
    return np.where(np.isin(_GROUP, groups), 1.0, _RARE)


def leads(seed: int) -> Next:
    """Each group leads to two others: the next token is one of those to which the last one's group leads."""
    to = np.random.default_rng(seed).permuted(np.tile(np.arange(GROUPS), (GROUPS, 1)), axis=1)[:, :2]
    return lambda so_far, _: _of_groups(*to[_GROUP[so_far[-1]]])


def ring(seed: int) -> Next:
    """The next token lies a few places after the last one, on a ring of all tokens."""
    place = np.random.default_rng(seed).permutation(V)
    likely = np.exp(-np.square((np.arange(V) - 4) / 3) / 2) + _RARE / 10  # (V,) by how many places on
    return lambda so_far, _: likely[(place - place[so_far[-1]]) % V]


def drift(seed: int) -> Next:
    """The next token is of the group of the last one, or a new group is drawn: what is near in time is alike."""
    return lambda so_far, random: _of_groups(random.integers(GROUPS) if random.random() < 0.25 else _GROUP[so_far[-1]])


def bags(seed: int) -> Next:
    """All tokens are of the group of the first one, or of the next group, in any order."""
    return lambda so_far, _: _of_groups(_GROUP[so_far[0]], (_GROUP[so_far[0]] + 1) % GROUPS)


SHAPES: dict[str, Callable[[int], Next]] = {
    "groups lead to groups": leads,
    "a few places on": ring,
    "taste drifts": drift,
    "in any order": bags,
}


def drawn(shape: str, n: int | None = None, seed: int = 0) -> pl.DataFrame:
    """Lists of a shape, `LISTS` by default, in the column `tokens`; no list has a token twice."""
    random, follows = np.random.default_rng(seed), SHAPES[shape](seed)
    lists = []
    for _ in range(n or LISTS):
        tokens, length = [int(random.integers(V))], random.integers(SHORTEST, LONGEST + 1)
        while len(tokens) < length:
            likely = follows(tokens, random)
            likely[tokens] = 0
            tokens.append(int(random.choice(V, p=likely / likely.sum())))
        lists.append([f"t{token}" for token in tokens])
    return pl.DataFrame({"tokens": lists})


def as_bags(contest: Contest, seed: int, dimension: int) -> float:
    """recall_at_20 of the default to which the order of the lists is not told."""
    whole = contest.examples
    contest.examples = replace(whole, times=np.empty(0, np.uint32))
    found, _ = contest.recall(EMBEDDING, seed, dimension)
    contest.examples = whole
    return found


def shapes() -> dict[str, Any]:
    """The table: a row for each shape and D, with recall_at_20 of each method, means over the seeds."""
    rows = [["what comes next", "D", "the default", "order chosen", "as bags", "PCA", "ALS", "EASE"]]
    for shape in SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            contest = Contest(drawn(shape), CONF, Path(folder))
        ease, _ = contest.measured(Ease(), None, contest.conf)
        for dimension in DIMENSIONS:
            found = [contest.recall(EMBEDDING, seed, dimension) for seed in SEEDS]
            chosen = sum("ordered" in one for _, one in found)
            bag = np.mean([as_bags(contest, seed, dimension) for seed in SEEDS])
            pca, _ = contest.recall(PCA, SEEDS[0], dimension)
            als, _ = contest.measured(Als(dimension=(dimension,)), None, contest.conf)
            figures = [f"{value:.4f}" for value in (bag, pca, als, ease)]
            mean = f"{np.mean([value for value, _ in found]):.4f}"
            rows.append([shape, str(dimension), mean, f"{chosen} of {len(SEEDS)}", *figures])
            print(" | ".join(rows[-1]), flush=True)
    notes = [
        f"recall_at_20 of the last token of {LISTS:,} lists of {SHORTEST} to {LONGEST} of {V} tokens; means of "
        f"{len(SEEDS)} seeds (PCA, ALS and EASE: one)"
    ]
    return {"title": "order: lists with an order", "tables": [rows], "notes": notes}
