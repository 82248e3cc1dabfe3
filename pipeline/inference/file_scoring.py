"""The records of a file -> a file with the answers of a model, read and written a batch at a time."""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.examples.unseen import Unseen, unseen, without_answers
from pipeline.inference.bulk import Lists, recommended, write_batches
from pipeline.inference.model import Model
from pipeline.inference.predictor import Predictor
from pipeline.inference.recommender import Recommender
from pipeline.records.ingest import Records, ingest

ROWS = 20_000
"""Records that are answered at once."""


@dataclass(frozen=True)
class Scored:
    """A file of answers."""

    path: Path
    n_rows: int
    """Rows of the file."""
    n_records: int
    """Records that were read and could be used."""
    n_left_out: int
    """Records that could not be used."""
    first: pl.DataFrame
    """The first rows."""


def score_file(model: Model, source: str, path: Path, log: logging.Logger, engine: str = "local") -> Scored:
    """Answer for the records of a file; an earlier file of answers is replaced once all are there.

    For a number or a class, each record is followed by its prediction; if conf says which rows are one example, there
    is a row for each example. For missing tokens there are `inference.top` rows for each example.

    Args:
        model: answers.
        source: path, glob, folder or URL of files like those that were learned from. The target may lack.
        path: of the file to write.
        log: gets lines of progress.
        engine: what finds the missing tokens, `local` or `ray`; a number or a class is predicted here.

    Raises:
        PipelineError: the file lacks a column, or too many of its records cannot be used.
    """
    found = {"path": (source,), "sample": None, "database": None, "query": None, "asset": None, "sha256": None}
    own = model.conf.source.model_copy(update={**found, "where": None, "drop_duplicates": False})
    conf = without_answers(model.conf).model_copy(update={"source": own})
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".scoring-") as name:
        folder = Path(name)
        records = ingest(conf, Path.cwd(), folder / "records", folder / "downloads")
        log.info(f"{model.facts['name']}: {len(records):,} records can be used")
        if isinstance(model, Recommender):
            n = write_batches(recommended(model, _lists(model, records), engine), folder / "answers.parquet")
        elif isinstance(model, Predictor):
            n = write_batches(_predicted(model, records), folder / "answers.parquet")
        else:
            raise AssertionError(f"no answers in bulk from a {type(model).__name__}")
        shutil.move(folder / "answers.parquet", path)
        counts = records.counts
    return Scored(path, n, counts.used, counts.quarantined, pl.scan_parquet(path).head(5).collect())


def _encoded(model: Model, records: Records) -> Unseen:
    """The examples of a file."""
    vocabulary, conf = model.fitted.embedding.vocabulary, without_answers(model.conf)
    return unseen(records.frame, vocabulary, conf, model.facts.get("mean_weight"))


def _lists(model: Recommender, records: Records) -> Iterator[Lists]:
    found = _encoded(model, records)
    for start in range(0, len(found.ids), ROWS):
        some = slice(start, start + ROWS)
        yield found.ids[some], found.inputs[some]


def _predicted(model: Predictor, records: Records) -> Iterator[pl.DataFrame]:
    if model.conf.example is None:
        for start in range(0, len(records), ROWS):
            batch = records.frame.slice(start, ROWS).collect()
            predictions = model.predicted(model.encoded(batch))
            twice = {name: f"{name} (of the file)" for name in predictions.columns if name in batch.columns}
            yield pl.concat([batch.rename(twice), predictions], how="horizontal")
        return
    found = _encoded(model, records)
    for start in range(0, len(found.ids), ROWS):
        some = np.arange(start, min(start + ROWS, len(found.ids)))
        yield model.predicted(found.take(some)).insert_column(0, found.ids.gather(some).alias("example"))
