"""Evaluates a fit on held-out examples: here, or in parts on a cluster, with the same result."""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from pipeline.cluster.tasks import Shared, at_once, each, engine, has_room
from pipeline.config.dataset import Dataset
from pipeline.config.task import Task
from pipeline.embedding import Fitted
from pipeline.evaluation.blocks import rows_at_once
from pipeline.examples.example_set import ExampleSet, SparseRows


def evaluate(conf: Dataset, fitted: Fitted, rows: ExampleSet) -> pl.DataFrame:
    """What the task's `evaluate` returns, with the engine that conf names; here, too, if the cluster has no CPU free.

    Raises:
        PipelineError: there is no cluster.
    """
    if conf.engine == "local":
        return conf.task.evaluate(fitted, rows)
    with engine(conf.engine, conf.file):
        if not has_room():  # several fits that keep all CPUs would wait for each other's tasks
            return conf.task.evaluate(fitted, rows)
        shared = Shared((conf.task, fitted))
        return pl.concat(each(_evaluated, ((shared, part) for part in _parts(rows, at_once()))))


def _parts(rows: ExampleSet, n: int) -> Iterator[ExampleSet]:
    """The examples in about n parts, in memory; each has whole blocks, whose products are the same to the bit."""
    block = rows_at_once(rows.inputs.shape[1])
    size = block * max(1, -(-len(rows) // (block * n)))
    for start in range(0, max(len(rows), 1), size):
        some = slice(start, start + size)
        part = rows.cut(some)
        inputs, labels = (SparseRows.of(matrix[:]) for matrix in (part.inputs, part.labels))
        yield replace(part, inputs=inputs, labels=labels)


def _evaluated(shared: Shared, part: ExampleSet) -> pl.DataFrame:
    task: Task
    task, fitted = shared.value
    return task.evaluate(fitted, part)
