"""The answers of a fit that predicts a column of the records: a number with its interval, or a class."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError, nearest
from pipeline.evaluation.conformal import covered, half_width
from pipeline.examples.sparse_examples import HELD_OUT
from pipeline.examples.unseen import Unseen, unseen, without_answers
from pipeline.examples.weight_scale import WeightScale
from pipeline.inference.as_written import AsWritten, writers
from pipeline.inference.model import Model
from pipeline.inference.requests import Rows, checked_params, column, plain, require_rows, rows_of, short, writing_of
from pipeline.inference.saved_fit import Material, conf_of, load_fitted, scores_file
from pipeline.records.columns import named_columns, number, truths_among
from pipeline.records.values.missing import no_numbers, with_missing
from pipeline.tasks.classification import Classification
from pipeline.tasks.regression import Regression

COLUMNS = "columns.parquet"
"""The file, without rows, whose schema is that of the columns that are read."""
_EXPLAINED = 100
"""Rows of a request whose tokens' effects are told."""


class Predictor(Model):
    """What the models of numbers and classes share: rows are records, as in the source."""

    options: ClassVar[Mapping[str, Any]] = {"why": True}

    @classmethod
    def prepare(cls, folder: Path, material: Material) -> dict[str, Any]:
        """Write the schema of the columns that are read; the names of the others, and an example."""
        conf, schema = without_answers(conf_of(folder)), material.records.collect_schema()
        read = dict.fromkeys(column.name for column in named_columns(_single(conf, schema)))
        named = {number.column for number in conf.numbers()} - {*conf.token_columns}
        truths = truths_among(conf.task.numbers(), material.records)  # are asked for as they are
        asked = {name: pl.Boolean() if name in truths else pl.Float64() for name in named}
        dtypes = {name: asked.get(name, schema[name]) for name in read}
        pl.DataFrame(schema=dtypes).write_parquet(folder / COLUMNS)
        values = {name: number(name, schema).cast(dtype) for name, dtype in asked.items()}
        first = material.records.select(values.get(name, pl.col(name)).alias(name) for name in read)
        return {
            "ignored": [name for name in schema if name not in read],
            "example": json.loads(first.head(1).collect().write_json()),
            "dense": [column.name for column in conf.task.named_columns()],
            "classes": [],
        }

    @cached_property
    def schema(self) -> pl.Schema:
        """The columns of a record that are read, with their dtypes in the source."""
        return pl.Schema(pl.read_parquet_schema(self.folder / COLUMNS))

    def predict(self, records: Rows | pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
        """A prediction for each record, in their order.

        Args:
            records: a frame, lazy too, or dictionaries, with the columns of the source. Columns and values may be
                missing; without a weight, tokens count as much as they did on average.

        Raises:
            PipelineError: they are no records, a column is not of the source, or a value is not of the column's kind.
        """
        frame = self._frame(records)
        return self.predicted(self.encoded(frame)) if frame.height else self.predict([{}]).clear()

    def explain(self, record: Mapping[str, Any]) -> pl.DataFrame:
        """What each token of a record adds to the prediction, the largest first, with all else as it is.

        Returns:
            A frame with the columns token, label, and the effect, whose name says what it is.

        Raises:
            PipelineError: as in `predict`.
        """
        what, effects = self._effects(self.encoded(self._frame([record])), 0)
        return effects.rename({"effect": what})

    def answers(self, rows: Rows, options: Mapping[str, Any]) -> list[dict[str, Any]]:
        """For each row the prediction, `unknown` tokens, and `because`, what each token adds."""
        require_rows(rows)
        asked = checked_params(options, self.options)
        examples = self.encoded(self._frame(rows))
        answers = self.predicted(examples).to_dicts()
        for i, answer in enumerate(answers):
            answer["unknown"] = examples.unknown[i]
            answer["because"] = self._effects(examples, i)[1].to_dicts() if asked["why"] and i < _EXPLAINED else []
        return answers

    def columns(self) -> dict[str, str]:
        """The columns of a record that are read."""
        return dict.fromkeys(self.schema, "any")

    def example(self) -> list[dict[str, Any]]:
        """The first record that was learned from."""
        return list(self.facts["example"])

    def encoded(self, frame: pl.DataFrame) -> Unseen:
        """Records as sparse examples, one each."""
        conf = _single(without_answers(self.conf), self.schema)
        scale = WeightScale.of(self.facts)
        if conf.weight is not None:
            frame = frame.with_columns(pl.col(conf.weight).fill_null(scale.average))
        return unseen(frame.lazy(), self.embedding.vocabulary, conf, scale)

    def places(self, records: Rows | pl.DataFrame | pl.LazyFrame) -> npt.NDArray[np.float32]:
        """(N, D) for each record the mean of the vectors of its tokens; 0 if none is known."""
        inputs = self.encoded(self._frame(records)).inputs
        total = np.maximum(np.asarray(inputs.sum(axis=1)), np.finfo(np.float32).tiny)
        return np.asarray(inputs @ self.embedding.matrix / total, np.float32)

    @abstractmethod
    def predicted(self, examples: Unseen) -> pl.DataFrame:
        """The predictions for encoded examples, one row each."""

    def _frame(self, records: Rows | pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
        """Records as a frame with all columns, in the dtypes of the source."""
        columns: dict[str, list[Any]] = {name: [] for name in self.schema}
        for i, row in enumerate(rows_of(records)):
            if not isinstance(row, Mapping):
                raise PipelineError(f"row {i + 1}: is {short(row)}, and values by the names of columns are asked for.")
            for name in row:
                if name not in columns and name not in self.facts["ignored"]:
                    raise PipelineError(f"row {i + 1}: there is no column {name!r}, {nearest(str(name), columns)}")
            for name, values in columns.items():
                value = plain(row.get(name))
                is_odd = isinstance(value, bool | int | float) and self.schema[name] == pl.String
                values.append(self._writers[name](value) if is_odd and name in self._writers else value)
        none, how = no_numbers(self.conf), writing_of(self.facts)
        frame = pl.DataFrame([column(name, values, self.schema[name], none, how) for name, values in columns.items()])
        frame = frame.with_columns(with_missing(name, dtype, self.conf, False) for name, dtype in self.schema.items())
        weight = _single(self.conf, self.schema).weight
        if weight is not None and len(odd := frame[weight].le(0).arg_true()):
            given = frame[weight][odd[0]]
            raise PipelineError(f"row {odd[0] + 1}, {weight}: is {given:g}, and a number above 0 is asked for.")
        return frame

    @cached_property
    def _writers(self) -> Mapping[str, AsWritten]:
        """By column, what writes numbers, true and false as the source does."""
        return writers(self.fitted.embedding.vocabulary, self.conf, self.schema)

    def _effects(self, examples: Unseen, row: int) -> tuple[str, pl.DataFrame]:
        """What the effects of tokens are, in words, and the effect of each token of one row, the largest first."""
        inputs = examples.inputs[row]
        given = inputs.indices
        without = sparse.csr_matrix(sparse.vstack([inputs] * len(given), format="csr") if len(given) else inputs[:0])
        without.data[np.arange(len(given)) * (len(given) + 1)] = 0.0  # in each row another token
        without.eliminate_zeros()
        dense = np.repeat(examples.dense[[row]], len(given) + 1, axis=0)
        task = self.conf.task
        answers = self.fitted.score(sparse.vstack([inputs, without], format="csr"), dense).astype(np.float64)
        values = task.effect(answers)
        changes = values[:1] - values[1:]
        size = np.abs(changes) if changes.ndim == 1 else np.abs(changes).max(axis=1)
        order = np.argsort(-size, kind="stable")
        what, effects = task.effects_in_words(changes[order], tuple(self.facts["classes"]))
        tokens = self.embedding.vocabulary.tokens[given[order]].select("token", "label")
        return what, tokens.with_columns(effect=pl.Series(effects))


class NumberPredictor(Predictor):
    """Predicts a number, with an interval."""

    @classmethod
    def prepare(cls, folder: Path, material: Material) -> dict[str, Any]:
        """Half the width of the interval, by the errors on validation, and how many test examples it covers."""
        conf = conf_of(folder)
        assert isinstance(conf.task, Regression)
        errors = {
            part: conf.task.errors(pl.read_parquet(material.fit / scores_file(part), glob=False))
            for part in HELD_OUT
            if (material.fit / scores_file(part)).exists()
        }
        asked = conf.inference.coverage
        half = half_width(errors["validation"], asked) if "validation" in errors else None
        share = covered(errors["test"], half) if half is not None and "test" in errors else None
        return {
            **super().prepare(folder, material),
            "coverage": asked,
            "half_width": half,
            "calibrated_on": len(errors.get("validation", ())),
            "covered": share,
            "covered_of": len(errors.get("test", ())),
        }

    def predicted(self, examples: Unseen) -> pl.DataFrame:
        """`predicted`, `low` and `high`; the last two are null without an interval."""
        task, half_width = self.conf.task, self.facts["half_width"]
        assert isinstance(task, Regression)
        predicted = self.fitted.score(examples.inputs, examples.dense).astype(np.float64)
        frame = pl.DataFrame({"predicted": predicted})
        if half_width is None:
            return frame.with_columns(low=pl.lit(None, pl.Float64), high=pl.lit(None, pl.Float64))
        low, high = task.interval(predicted, half_width)
        return frame.with_columns(low=pl.Series(low), high=pl.Series(high))


class ClassPredictor(Predictor):
    """Predicts a class, with the probability of each."""

    @classmethod
    def prepare(cls, folder: Path, material: Material) -> dict[str, Any]:
        """The names of the classes."""
        names = load_fitted(folder).weights["target_classes"]
        return {**super().prepare(folder, material), "classes": names.tolist()}

    def predicted(self, examples: Unseen) -> pl.DataFrame:
        """`predicted`, its `probability`, and `probabilities`, those of all classes."""
        assert isinstance(self.conf.task, Classification)
        names: list[str] = list(self.facts["classes"])
        probabilities = self.fitted.score(examples.inputs, examples.dense).astype(np.float64)
        each = [dict(zip(names, map(float, row), strict=True)) for row in probabilities]
        return pl.DataFrame(
            {
                "predicted": [names[i] for i in probabilities.argmax(axis=1)],
                "probability": probabilities.max(axis=1),
                "probabilities": pl.Series(each, dtype=pl.Struct(dict.fromkeys(names, pl.Float64))),
            }
        )


def _single(conf: Dataset, columns: pl.Schema) -> Dataset:
    """The settings with which each record is an example; with its weight, where that is among the columns."""
    is_read = conf.weight in columns and conf.weight not in conf.token_columns  # an earlier version did not read it
    weight = conf.weight if is_read else None
    return conf.model_copy(update={"example": None, "weight": weight})
