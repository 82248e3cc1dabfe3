"""`python -m benchmarks.refresh`: what a refresh costs, what it is worth, and how far tokens move, beside a full fit.

The ratings of the movies' sample come in the order of their time; with the argument `movielens_1m` those of
MovieLens-1M come in the order of its records, where new rows are new people. A refresh sees 5% more rows than the fit
before it; a chain of ten goes on from each other. The full fit, from the beginning, learns from the same examples with
the same vocabulary, and both are evaluated on the same held-out people. Seconds are those of the processor, in one go.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from benchmarks import page
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.config.records import Split
from pipeline.embedding import Embedding, Fitted, Problem
from pipeline.estimators import EMBEDDING, estimator
from pipeline.evaluation.bootstrap import Difference, difference, resampled
from pipeline.evaluation.metrics import measure
from pipeline.examples.encoding import encode
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.moved_tokens import beside
from pipeline.experiment.refresh import Start
from pipeline.experiment.run import FinishedRun
from pipeline.records.ingest import ingest
from pipeline.records.pairs.builder import pair_table
from pipeline.records.splitting.assignment import assign
from pipeline.vocabulary.vocabulary import Vocabulary, build_vocabulary

HERE = Path(__file__).resolve().parent
GROWTH, TIMES = 1.05, 10


class Case(NamedTuple):
    """Data that grows."""

    conf: Path
    order: tuple[str, ...]
    """The columns by which the rows come."""
    test: float
    """Share of the people that is held out."""
    splits: int
    """Splits that are measured; each holds out other people."""
    title: str
    result: str


CASES = {
    "movies": Case(
        HERE.parent / "conf" / "movies.yaml",
        ("timestamp", "userId", "movieId"),
        0.3,  # of few people, so many
        4,
        "the movies' ratings by their time",
        "speed_refresh_small",
    ),
    "movielens_1m": Case(
        HERE / "conf" / "movielens_1m_30.yaml",
        ("user", "movie"),
        0.2,
        2,
        "MovieLens-1M in the order of its records, so that new rows are new people",
        "speed_refresh_movielens_1m",
    ),
}
FEW = 3
"""As many refreshes as the rules allow at this pace, before the examples have grown by a fifth."""
_FEW, _RULED, _FREE = f"{FEW} refreshes", f"{TIMES} days by the rules", f"{TIMES} refreshes"


class Day(NamedTuple):
    """The data of a day, encoded."""

    vocabulary: Vocabulary
    examples: SparseExamples


class Made(NamedTuple):
    """A fit, and the seconds that it took the processor."""

    fitted: Fitted
    seconds: float


def days(conf: Dataset, case: Case) -> list[Day]:
    """The data of eleven days, each with 5% more rows; known tokens and people keep their place."""
    with tempfile.TemporaryDirectory() as folder:
        records = ingest(conf, case.conf.parent, Path(folder) / "records").frame.sort(case.order).collect()
    found: list[Day] = []
    for i in range(TIMES + 1):
        rows = records.head(int(len(records) / GROWTH ** (TIMES - i))).lazy()
        table = pair_table(rows, conf)
        parts = found[-1].examples.frame.select("example", "split") if found else None
        before = found[-1].vocabulary if found else None
        vocabulary = build_vocabulary(table, conf, assign(table, conf, parts), before)
        found.append(Day(vocabulary, encode(rows, vocabulary, conf, table, parts)))
    return found


def made(conf: Dataset, day: Day, dimension: int, before: Fitted | None = None) -> Made:
    """A fit of a day's examples, from the beginning or from the fit of the day before."""
    vocabulary, examples = day
    conf, start = conf.resolved(examples.n_training, len(vocabulary)), None
    begin = time.process_time()
    training, validation = examples.training(), examples.held_out("validation")
    if before is not None:
        last = Start(FinishedRun("", "", {}, {}), 1, "", before.embedding, before.weights)
        start, conf = last.weights_for(vocabulary, training, conf.dtype), last.shortened(conf)
    problem = Problem(training, vocabulary, conf, dimension, validation, start=start)
    fitted = estimator(EMBEDDING, conf).fit(problem)
    return Made(fitted, time.process_time() - begin)


def drift(fitted: Fitted, before: Embedding) -> float:
    """How far the known tokens have moved, in the median, as a share of the mean length."""
    moved = beside(fitted, before, turn=True).embedding.drift
    assert moved is not None
    return float(np.nanmedian(moved))


def compared(conf: Dataset, frames: dict[str, list[pl.DataFrame]], ours: str, theirs: str) -> dict[str, Difference]:
    """The paired differences of two ways, over the people of all splits together."""
    both = [pl.concat(frames[name]) for name in (ours, theirs)]
    values, drawn = [measure(conf.task, frame) for frame in both], resampled(conf.task, both)
    return {
        metric.name: difference(
            metric,
            (values[0][metric.name], drawn[0][metric.name]),
            (values[1][metric.name], drawn[1][metric.name]),
            both[0].height,
        )
        for metric in conf.task.metrics[:2]
    }


def measured(conf: Dataset, case: Case, dimension: int) -> list[list[str]]:
    """The rows of the table for one D."""
    frames: dict[str, list[pl.DataFrame]] = {}
    ratios, moved = [], []
    for seed in range(1, case.splits + 1):
        own = conf.model_copy(update={"seed": seed})
        all_days = days(own, case)
        before, today = all_days[-2:]
        full, other = (made(own.model_copy(update={"seed": s}), today, dimension) for s in (seed, seed + 1000))
        yesterday = made(own, before, dimension).fitted
        refresh = made(own, today, dimension, yesterday)
        free = ruled = made(own, all_days[0], dimension).fitted
        at_full = all_days[0].examples.n_training
        for day in all_days[1:]:
            free = made(own, day, dimension, free).fitted
            is_full = day.examples.n_training > (1 + own.refresh.grown) * at_full
            at_full = day.examples.n_training if is_full else at_full
            ruled = made(own, day, dimension, None if is_full else ruled).fitted
        ratios.append(refresh.seconds / full.seconds)
        both = (refresh.fitted, yesterday.embedding), (other.fitted, full.fitted.embedding)
        moved.append([drift(*pair) for pair in (*both, (full.fitted, yesterday.embedding))])
        rows = today.examples.held_out("test")
        few = made(own, all_days[-1 - FEW], dimension).fitted
        for day in all_days[-FEW:]:
            few = made(own, day, dimension, few).fitted
        ways = {"full": full.fitted, "refresh": refresh.fitted, _FEW: few, _RULED: ruled, _FREE: free}
        for name, fitted in ways.items():
            scores = conf.task.evaluate(fitted, rows)
            named = scores.with_columns(example=pl.format("{}/{}", pl.lit(str(seed)), "example"))
            frames.setdefault(name, []).append(named)
        print(f"D={dimension}, seed {seed}: cost {ratios[-1]:.2f}, drift {moved[-1]}", flush=True)
    drifts = [f"{one:.0%}" for one in np.median(moved, axis=0)]
    rows_of = []
    for name in list(frames)[1:]:
        found = compared(conf, frames, name, "full")
        is_first = name == "refresh"
        rows_of.append(
            [
                f"{name}, D={dimension}",
                f"{np.median(ratios):.2f}" if is_first else "",
                *(f"{one.verdict} {one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}]" for one in found.values()),
                *(drifts if is_first else [""] * len(drifts)),
            ]
        )
    return rows_of


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, keep the result, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refresh", description=__doc__)
    parser.add_argument("data", nargs="?", choices=CASES, default="movies")
    case = CASES[parser.parse_args(arguments).data]
    logging.disable(logging.INFO)
    conf = load(case.conf).model_copy(update={"split": Split(test=case.test), "refit": False})
    head = ["against a full fit", "seconds", *(f"{m.name}" for m in conf.task.metrics[:2]), "drift"]
    head += ["of two seeds", "of full fits of two days"]
    cells: list[list[str]] = [head]
    for dimension in (8, 32):
        cells += measured(conf, case, dimension)
    found: dict[str, Any] = {
        "title": f"refresh: {case.title}",
        "tables": [cells],
        "notes": [
            f"{case.conf.parent.name}/{case.conf.name} with `split: {{test: {case.test}}}` and without `refit`; "
            f"{case.splits} splits, all their people together; each refresh has {GROWTH - 1:.0%} more rows",
            f"{TIMES} days make {GROWTH**TIMES - 1:.0%} more rows; by the rules there is a full fit whenever there are "
            "more examples than at the last one by `refresh.grown`; in the last rows there is none",
            "seconds: of the processor, a refresh / a full fit, in the median",
            "drift: how far a known token has moved, in the median, as a share of the mean length; beside it that of "
            "two full fits of the same data with other seeds, and of two days' full fits, turned onto each other",
        ],
    }
    page.keep(case.result, found, ("torch", "pytorch-lightning", "numpy"))
    print(page.write())


if __name__ == "__main__":
    main()
