"""The records of a file -> a file with the answers of a model, read and written a batch at a time."""

import logging
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.records import Source, Split
from pipeline.errors import PipelineError, nearest, number_of
from pipeline.evaluation.ranking import decay_of
from pipeline.examples.unseen import Unseen, unseen, without_answers
from pipeline.examples.weight_scale import WeightScale
from pipeline.inference.as_found import as_found, columns_of
from pipeline.inference.bulk import Lists, recommended, write_batches
from pipeline.inference.model import Model
from pipeline.inference.predictor import Predictor
from pipeline.inference.recommender import Recommender
from pipeline.inference.requests import writing_of
from pipeline.records.cleaning.quarantine import Reasons
from pipeline.records.columns import named_columns, number_column
from pipeline.records.ingest import ingest
from pipeline.records.records import Records
from pipeline.records.source import paths
from pipeline.tasks.target import Unanswered

ROWS = 20_000
"""Records that are answered at once."""
ANSWERS = ".scored.parquet"
"""How the names of files of answers end."""


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
    why: str
    """Why, as sentences with the first of them; empty if all could be used."""
    n_unknown: int
    """Examples of which no token is known."""
    first: pl.DataFrame
    """The first rows."""


def score_file(
    model: Model, source: str, path: Path, folder: Path, log: logging.Logger, engine: str = "local"
) -> Scored:
    """Answer for the records of a file; an earlier file of answers is replaced once all are there.

    For a number or a class, each record is followed by its prediction; if conf says which rows are one example, there
    is a row for each example. For missing tokens there are `inference.top` rows for each example. A column of numbers
    that the file lacks counts as one without a value, as in a request: of a dense feature all values are missing, and
    without a weight tokens count as much as they did on average. Where the order of lists was learned, the column of
    times tells it, or the order of the file if it lacks that column.

    Args:
        model: answers.
        source: path, glob, folder or URL of files like those that were learned from. The target and numbers may be
            missing. A column of tokens may not, unlike in a request: in a file its name is rather misspelt.
        path: of the file to write.
        folder: an empty one on the same disk, for what is read and written meanwhile.
        log: gets lines of progress.
        engine: what finds the missing tokens, `local` or `ray`; a number or a class is predicted here.

    Raises:
        PipelineError: the file lacks a column, none of its records can be used, or the answers' name is a folder's.
    """
    if path.is_dir():
        raise PipelineError(f"{path}: is a folder, but the answers are a file of this name. Give it another.")
    conf, there = _as_written(model, source, folder / "downloads", log)
    lacking = _numbers_lacking(conf, there)
    for told in lacking.values():
        log.info(told)
    records = ingest(_without(conf, lacking), Path.cwd(), folder / "records", folder / "downloads", may_lack=True)
    log.info(f"{model.facts['name']}: {number_of(len(records), 'record')} can be used")
    average = WeightScale.of(model.facts).average
    filled = records.frame.with_columns(
        pl.lit(average if name == conf.weight else None, pl.Float64).alias(name) for name in lacking
    )
    unknown: list[int] = []
    if isinstance(model, Recommender):
        n = write_batches(
            recommended(model, _lists(_encoded(model, filled, conf, lacking), unknown), engine),
            folder / "answers.parquet",
        )
    elif isinstance(model, Predictor):
        every = None if conf.example is None else _encoded(model, filled, conf, lacking)
        n = write_batches(_predicted(model, filled, records, every, unknown), folder / "answers.parquet")
    else:
        raise AssertionError(f"no answers in bulk from a {type(model).__name__}")
    (folder / "answers.parquet").replace(path)
    counts, why = records.counts, Reasons.of(records.quarantine).sentence()
    first = pl.scan_parquet(path, glob=False).head(5).collect()
    return Scored(path, n, counts.used, counts.quarantined, why, sum(unknown), first)


def _as_written(model: Model, source: str, downloads: Path, log: logging.Logger) -> tuple[Dataset, list[str]]:
    """The settings that read files in the way in which they are written, and the columns of the files."""
    conf = without_answers(model.conf).model_copy(update={"source": of_files(model.conf, _files_to_answer(source))})
    of_tokens = _without(conf, {one.column for one in conf.numbers()}).model_copy(update={"split": Split()})
    needed = {column.name for column in named_columns(of_tokens)}
    conf = conf.model_copy(update={"source": as_found(conf, needed, downloads, log)})
    there = columns_of(conf, downloads)
    # a file alone may tell other units, and amounts in those are no answer to what was learned
    units = {name: unit for name, unit in writing_of(model.facts).units.items() if name in there}
    read = {"split": _in_order(model, there, log), "source": conf.source.model_copy(update={"units": units})}
    return conf.model_copy(update=read), there


def of_files(conf: Dataset, files: tuple[str, ...] = ()) -> Source:
    """What reads files as a dataset's own are read: all their records, and whatever cannot be used is left out."""
    not_its_own = {"sample": None, "database": None, "query": None, "asset": None, "period": None, "sha256": None}
    all_records = {"where": None, "drop_duplicates": False, "max_bad_share": 1.0}
    return conf.source.model_copy(update={"path": files, **not_its_own, **all_records})


def _files_to_answer(source: str) -> tuple[str, ...]:
    """The files of a source. If there are several, earlier answers that lie among them are left out."""
    every = paths.resolved(Source(path=(source,)), Path.cwd())
    return tuple(one for one in every if not one.endswith(ANSWERS)) if len(every) > 1 else (source,)


def _numbers_lacking(conf: Dataset, there: Sequence[str]) -> Mapping[str, str]:
    """The columns of numbers alone that are not there, each with a sentence about it."""
    needed = {column.name for column in named_columns(_without(conf, {one.column for one in conf.numbers()}))}
    lacking = [one.column for one in conf.numbers() if one.column not in {*there, *needed}]
    sentence = "there is no column {!r}, so all its values count as missing; {}"
    where = paths.name(conf.source)
    return {column: f"{where}: {sentence.format(column, nearest(column, there))}" for column in lacking}


def _in_order(model: Model, there: Sequence[str], log: logging.Logger) -> Split:
    """The split that reads the times of tokens, for a model that has learned their order; or one that reads none."""
    time = model.conf.split.time
    if time is None or decay_of(model.fitted) == 1:
        return Split()
    if time in there:
        return Split(time=time, hold_out="last")
    log.info(f"there is no column {time!r}, so the tokens of an example came in the order of the file; the latest last")
    return Split()


def _without(conf: Dataset, columns: Container[str]) -> Dataset:
    """Settings that read no numbers from some columns."""
    update: dict[str, Any] = {"weight": None} if conf.weight in columns else {}
    if isinstance(conf.task, Unanswered):
        dense = tuple(name for name in conf.task.dense if name not in columns)
        update["task"] = conf.task.model_copy(update={"dense": dense})
    return conf.model_copy(update=update)


def _encoded(model: Model, records: pl.LazyFrame, conf: Dataset, lacking: Container[str]) -> Unseen:
    """The examples of a file; without weights a token counts once in each, however many of its rows have it."""
    vocabulary = model.fitted.embedding.vocabulary
    conf = conf.model_copy(update={"weight": None if conf.weight in lacking else conf.weight})
    return unseen(records, vocabulary, conf, WeightScale.of(model.facts), decay_of(model.fitted))


def _lists(examples: Unseen, unknown: list[int]) -> Iterator[Lists]:
    """The lists of a file; how many of them have no known token is added to `unknown`."""
    unknown.append(_n_unknown(examples))
    for start in range(0, len(examples.ids), ROWS):
        some = slice(start, start + ROWS)
        yield examples.ids[some], examples.inputs[some]


def _predicted(
    model: Predictor, filled: pl.LazyFrame, records: Records, every: Unseen | None, unknown: list[int]
) -> Iterator[pl.DataFrame]:
    """The predictions for a file, of all examples or of each record; how many know no token is added to `unknown`."""
    if every is None:
        for start in range(0, len(records), ROWS):
            batch = records.frame.slice(start, ROWS).collect()
            examples = model.encoded(filled.slice(start, ROWS).collect())
            unknown.append(_n_unknown(examples))
            predictions = _with_unknown(model.predicted(examples), examples)
            of_file = batch.drop((number_column(one.column) for one in model.conf.numbers()), strict=False)
            twice = {name: f"{name} (of the file)" for name in predictions.columns if name in of_file.columns}
            yield pl.concat([of_file.rename(twice), predictions], how="horizontal")
        return
    unknown.append(_n_unknown(every))
    for start in range(0, len(every.ids), ROWS):
        examples = every.take(np.arange(start, min(start + ROWS, len(every.ids))))
        yield _with_unknown(model.predicted(examples), examples).insert_column(0, examples.ids.alias("example"))


def _n_unknown(examples: Unseen) -> int:
    """The number of examples without any known token."""
    return int((np.diff(examples.inputs.indptr) == 0).sum())


def _with_unknown(predictions: pl.DataFrame, examples: Unseen) -> pl.DataFrame:
    """Predictions with the column `unknown`: the tokens of each example that the model does not know."""
    return predictions.with_columns(unknown=pl.Series(examples.unknown, dtype=pl.List(pl.String)))
