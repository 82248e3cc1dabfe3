"""A fit at work: what every model answers, whatever its task, and the folder that it is loaded from.

A task's own answers stand in its own file beside this one. Letters: V vocabulary, D dimensions.
"""

import json
import math
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.config.records import Part
from pipeline.embedding import Embedding, Fitted
from pipeline.errors import PipelineError
from pipeline.evaluation.metrics import measure
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.inference.known_tokens import KnownTokens
from pipeline.inference.requests import Rows, listed, texts, whole
from pipeline.inference.saved_fit import FILES, Material, answer_by, conf_of, load_fitted
from pipeline.similarity.nearest import evidence, similarities

FORMAT = 1
"""Version of the folder; code that reads another one refuses it."""
FACTS_FILE = "facts.json"
_SPACE = "space.parquet"


class Model(ABC):
    """A fit that answers about lists or records that nothing was learned from."""

    options: ClassVar[Mapping[str, Any]] = {}
    """What a request can ask for beside its rows, with the defaults."""

    def __init__(self, folder: Path) -> None:
        """Load what `write` wrote.

        Raises:
            PipelineError: the folder has another format.
        """
        self.folder = folder
        facts = json.loads((folder / FACTS_FILE).read_text())
        if facts.get("format") != FORMAT:
            raise PipelineError(f"{folder}: is a model of the format {facts.get('format')}, and this reads {FORMAT}.")
        self.facts: Mapping[str, Any] = facts
        """What is known of the model: its dataset, fit and MLflow run, its metrics, and what its task adds."""
        self.about = pl.read_parquet(folder / "about.parquet", glob=False)
        """One row for each token, in the vocabulary's order: the columns that describe it."""

    @classmethod
    def write(cls, folder: Path, material: Material, facts: Mapping[str, Any]) -> None:
        """Put together the folder of a model.

        Args:
            folder: where, created here.
            material: what it is made from.
            facts: what is known of the fit: its `name`, its `fit`, and what is `said` of it, in a sentence.
        """
        folder.mkdir(parents=True)
        for name in FILES:
            shutil.copyfile(material.fit / name, folder / name)
        if material.conf is not None:
            answer_by(material.conf, folder)
        if material.space is not None:
            shutil.copyfile(material.space, folder / _SPACE)
        about = material.about
        about.select(_as_numbers(about[name]) for name in about.columns).write_parquet(folder / "about.parquet")
        everything = {"format": FORMAT, **facts, "written": material.written, **cls.prepare(folder, material)}
        (folder / FACTS_FILE).write_text(json.dumps(everything, indent=2))

    @classmethod
    def prepare(cls, folder: Path, material: Material) -> dict[str, Any]:
        """Write what else the answers of a task need, and return what is known of it."""
        return {}

    @staticmethod
    def load(folder: Path) -> "Model":
        """The model in a folder, of the class that its task names."""
        return model_type(conf_of(folder))(folder)

    @property
    def uses_index(self) -> bool:
        """Whether answers come from an index, which finds nearly all of the exact ones."""
        return False

    @cached_property
    def fitted(self) -> Fitted:
        """The fit itself."""
        return load_fitted(self.folder)

    @cached_property
    def conf(self) -> Dataset:
        """The dataset that it was learned from, resolved."""
        return conf_of(self.folder)

    @cached_property
    def embedding(self) -> Embedding:
        """The vectors of the tokens; those of the best learned fit if this one has no latent space."""
        space = self.folder / _SPACE
        return Embedding.load(space) if space.exists() else self.fitted.embedding

    @cached_property
    def known(self) -> KnownTokens:
        """Finds tokens by what people write."""
        return KnownTokens(self.embedding.vocabulary)

    def similar(self, token: str, k: int = 10) -> pl.DataFrame:
        """The k tokens nearest to a token, nearest first; see `Embedding.neighbours`.

        Args:
            token: a token, or its label.
            k: how many.

        Returns:
            A frame with the columns token, label, count, cosine, those that describe tokens, and where replicas were
            fitted stability, how far the nearest tokens of each hold, and support, in how many replicas it is among the
            10 nearest.

        Raises:
            PipelineError: it is no token, or k is no whole number from 1.
        """
        place = self.known.one(token)
        stability = self.embedding.stability
        close, cosine = similarities(self.embedding.matrix, self.embedding.counts, self.embedding.matrix[place])
        nearest = self._nearest(close, cosine, [place], k)
        if stability is None:
            return nearest
        others = self.embedding.vocabulary.encode(nearest["token"].to_list()).tolist()
        return nearest.with_columns(
            stability=pl.Series(stability.scores[others]),
            support=pl.Series(stability.support_of(place, others), dtype=pl.UInt8),
        )

    def analogy(self, of: str, minus: str, plus: str, k: int = 10) -> pl.DataFrame:
        """The k tokens nearest to `of - minus + plus`, as with king - man + woman.

        A frame like that of `similar`, without stability and support. The vectors are brought to length 1 first, and
        the three tokens are left out (Mikolov et al., 2013).

        Raises:
            PipelineError: one is no token, or k is no whole number from 1.
        """
        places = [self.known.one(token) for token in (of, minus, plus)]
        a, b, c = self._unit[places]
        _, cosine = similarities(self._unit, self.embedding.counts, a - b + c)
        return self._nearest(cosine * evidence(self.embedding.counts), cosine, places, k)

    def embed(self, tokens: Sequence[str] | Sequence[Sequence[str]]) -> npt.NDArray[np.float32]:
        """The place of a list in the latent space: the mean of the vectors of its tokens; 0 if none is known.

        Args:
            tokens: one list of tokens or labels, or several lists.

        Returns:
            (D,) for one list, (N, D) for several.

        Raises:
            PipelineError: a list is none of texts.
        """
        given = listed(tokens)
        if not isinstance(given, list) or not given or isinstance(given[0], str | int | np.integer):
            return self._mean_of(texts(given, "tokens", math.inf))
        return np.stack([self._mean_of(texts(one, f"list {i}", math.inf)) for i, one in enumerate(given, 1)])

    @abstractmethod
    def answers(self, rows: Rows, options: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The answer to each row, as plain data.

        Raises:
            PipelineError: says in a sentence what cannot be understood, and where.
        """

    @abstractmethod
    def columns(self) -> dict[str, str]:
        """The columns of a row, each with what it holds: `texts` (a list) or `any` value, which may be missing."""

    @abstractmethod
    def example(self) -> list[dict[str, Any]]:
        """Rows that can be asked about."""

    def evaluate(self, examples: SparseExamples, part: Part = "test") -> dict[str, float]:
        """The metrics of the model on held-out examples, as its run has recorded them.

        Args:
            examples: of the dataset that it was learned from.
            part: validation or test.

        Raises:
            PipelineError: the examples are of another vocabulary, so that their integers are other tokens; or they have
                folds, and the model has learned from all of them.
        """
        self.fitted.embedding.vocabulary.require(examples.about["vocabulary"], "the sparse examples")
        if examples.n_folds > 1:
            raise PipelineError(f"{self.facts['name']}: with folds its model has learned from all examples.")
        task = self.conf.task
        rows = examples.held_out(part, at_most=task.most_evaluated, seed=self.conf.seed)
        return measure(task, task.evaluate(self.fitted, rows))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.facts['name']}: {self.facts['said']}>"

    @cached_property
    def _unit(self) -> npt.NDArray[np.float32]:
        """(V, D) the vectors, each of length 1."""
        lengths = np.linalg.norm(self.embedding.matrix, axis=1, keepdims=True)
        return np.asarray(self.embedding.matrix / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)

    def _mean_of(self, tokens: Sequence[str]) -> npt.NDArray[np.float32]:
        """(D,) the mean of the vectors of the tokens that are known."""
        places = self.known.find(tokens)
        vectors = self.embedding.matrix[places[places >= 0]]
        return np.asarray(vectors.sum(axis=0) / max(len(vectors), 1), np.float32)

    def _nearest(self, close: Array, cosine: Array, without: list[int], k: int) -> pl.DataFrame:
        """The k tokens that are closest, without some."""
        close[without] = -np.inf
        nearest = np.argsort(-close, kind="stable")[: min(whole(k, "k"), len(close) - len(set(without)))]
        return self.described(nearest).insert_column(3, pl.Series("cosine", cosine[nearest]))

    def described(self, places: Array) -> pl.DataFrame:
        """Tokens, by their integers: token, label, count, and the columns that describe them."""
        tokens: pl.DataFrame = self.embedding.vocabulary.tokens[places]
        return pl.concat([tokens, self.about[places]], how="horizontal") if self.about.width else tokens


def model_type(conf: Dataset) -> type[Model]:
    """The class of the models of a dataset, which its task names."""
    module, _, name = conf.task.answers_with.rpartition(".")
    named: type[Model] = getattr(import_module(module), name)
    return named


def _as_numbers(texts: pl.Series) -> pl.Series:
    """A column of texts as numbers, if all of them are."""
    for dtype in (pl.Int64, pl.Float64):
        numbers = texts.cast(dtype, strict=False)
        if texts.dtype == pl.String and numbers.null_count() == texts.null_count() < len(texts):
            return numbers
    return texts
