"""Whether a new version becomes champion: not if it is worse than the present one on examples that neither has seen."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from pipeline.config.dataset import Dataset
from pipeline.config.records import Part
from pipeline.embedding import Embedding, Fitted, nowhere
from pipeline.evaluation.bootstrap import FEWEST, Difference, difference, n_independent, resampled
from pipeline.evaluation.metrics import measure
from pipeline.examples.sparse_examples import HELD_OUT, SparseExamples
from pipeline.experiment.artifacts import recorded_scores
from pipeline.experiment.model_registry import Version
from pipeline.experiment.packaging import data_of
from pipeline.experiment.tracking import Tracker
from pipeline.inference.bulk import translation
from pipeline.inference.model import Model
from pipeline.vocabulary.vocabulary import Vocabulary

Array = npt.NDArray[Any]

LEARNED_FROM = "learned_from.parquet"
"""The file in a run with the ids and the groups of the examples that its fit has learned from."""


@dataclass(frozen=True)
class Decision:
    """Whether the candidate becomes champion, and why, in a sentence."""

    moves: bool
    said: str


@dataclass(frozen=True)
class Contest:
    """The present champion against the best fit of today."""

    conf: Dataset
    examples: SparseExamples
    """Those of today."""
    tracker: Tracker
    folder: Path
    """Of the present champion's model, as MLflow made it."""
    vocabulary: Vocabulary
    """That of today."""

    def decide(self, present: Version, candidate: Version) -> Decision:
        """Compare both by the primary metric of the task, on validation examples, or on test if there are none."""
        who = f"version {candidate.number}, {candidate.fit}"
        whom = f"version {present.number}, {present.fit}"
        for part in HELD_OUT:
            ours = recorded_scores(self.tracker, candidate.run_id, part)
            if ours is not None:
                break
        else:
            return Decision(True, f"{who}, is champion now: nothing is held out, so the newest answers.")
        theirs, how = self._scores_of_the_present(present, ours, part)
        if theirs is not None:
            ours = ours.filter(pl.col("example").is_in(theirs["example"].implode()))
            found = self._paired(ours, theirs)
            told = f"on {ours.height:,} {part} examples{how}"
        else:
            theirs = recorded_scores(self.tracker, present.run_id, part)
            if theirs is None:
                return Decision(True, f"{who}, is champion now: {whom}, was never measured on held-out examples.")
            found = self._apart(ours, theirs)
            told = f"each on its own {part} examples, because no other ones are new to both"
        metric = found.metric.name
        numbers = f"{metric} {found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}], {told}"
        if found.verdict == "worse":
            return Decision(False, f"{whom}, stays champion: {who}, is worse ({numbers}).")
        return Decision(True, f"{who}, is champion now: it is not worse than {whom} ({numbers}).")

    def _scores_of_the_present(
        self, present: Version, ours: pl.DataFrame, part: Part
    ) -> tuple[pl.DataFrame | None, str]:
        """The scores of the present champion on those of our examples that it has not learned from, and how they came.

        They are the recorded ones if the examples have not changed, and made anew otherwise.
        """
        recorded = recorded_scores(self.tracker, present.run_id, part)
        same_examples = present.tags.get("examples") == self.examples.fingerprint
        if same_examples and recorded is not None and recorded["example"].equals(ours["example"]):
            return recorded, ""
        fitted = self._fitted_for_today
        if fitted is None or self.examples.about["by_token"]:
            return None, ""
        learned = self._learned_by(present)
        if learned is None:
            return None, ""
        task, frames = self.conf.task, []
        for fold in range(self.examples.n_folds):
            rows = self.examples.held_out(part, fold, task.most_evaluated, self.conf.seed)
            frames.append(task.evaluate(fitted, rows))
        ids = self.examples.frame["example"].filter(learned)
        scores = pl.concat(frames).filter(~pl.col("example").is_in(ids.implode()))
        return (scores, " that are new to both") if n_independent(scores) >= FEWEST else (None, "")

    def _learned_by(self, present: Version) -> pl.Series | None:
        """(N,) whether the present champion has learned from each of our examples, or from others of its group.

        None if nobody can tell: no row says what one said before, or the groups were not noted.
        """
        before = pl.read_parquet(self.tracker.file(present.run_id, LEARNED_FROM))
        learned = self.examples.known_by.is_in(before["example"].implode())
        if self.examples.groups is None:
            return None if self.conf.example is None and not learned.any() else learned
        if "group" not in before.columns or before["group"].null_count():
            return None
        return learned | self.examples.frame["group"].is_in(before["group"].implode())

    @cached_property
    def _fitted_for_today(self) -> Fitted | None:
        """The present champion over today's vocabulary; None if its features or classes are other ones."""
        model = Model.load(data_of(self.folder))
        facts, about = model.facts, self.examples.about
        if list(facts.get("dense", about["dense"])) != list(about["dense"]):
            return None
        if list(facts.get("classes", about["classes"])) != list(about["classes"]):
            return None
        unit = about["mean_weight"] / facts.get("mean_weight", about["mean_weight"])
        return InVocabulary(model.fitted, self.vocabulary, self.conf.task.predicts_tokens, unit)

    def _paired(self, ours: pl.DataFrame, theirs: pl.DataFrame) -> Difference:
        task = self.conf.task
        drawn = resampled(task, [ours, theirs])
        name = task.metrics[0].name
        both = [(measure(task, frame)[name], values[name]) for frame, values in zip((ours, theirs), drawn, strict=True)]
        return difference(task.metrics[0], both[0], both[1], n_independent(ours))

    def _apart(self, ours: pl.DataFrame, theirs: pl.DataFrame) -> Difference:
        """The difference of two fits that were measured on different examples, each drawn for itself."""
        task, name = self.conf.task, self.conf.task.metrics[0].name
        both = [
            (measure(task, frame)[name], resampled(task, [frame], seed)[0][name])
            for seed, frame in enumerate((ours, theirs))
        ]
        return difference(task.metrics[0], both[0], both[1], min(map(n_independent, (ours, theirs))))


class InVocabulary:
    """A fit that scores lists over another vocabulary than its own: tokens are the same if their texts are."""

    def __init__(self, fitted: Fitted, vocabulary: Vocabulary, predicts_tokens: bool, unit: float = 1.0) -> None:
        """Wrap a fit.

        Args:
            fitted: over its own vocabulary.
            vocabulary: the other one.
            predicts_tokens: whether its scores are those of tokens; one that it does not know gets minus infinity.
            unit: the weight 1 of a token in the lists that it will score, in its own weights: each is told in shares of
                the mean weight that was learned from.
        """
        self.fitted, self.predicts_tokens = fitted, predicts_tokens
        self.embedding: Embedding = nowhere(vocabulary)
        self.weights: dict[str, Array] = {}
        self.chosen: dict[str, Any] = {}
        own = fitted.embedding.vocabulary
        self._place = own.encode(vocabulary.tokens["token"])  # (V,) in its own vocabulary, -1 for none
        self._to_own = translation(vocabulary, own) * unit

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> Array:
        """Scores as `Fitted.score` gives them, of the tokens of the other vocabulary where tokens are predicted."""
        scores = self.fitted.score(sparse.csr_matrix(inputs @ self._to_own), dense)
        if not self.predicts_tokens:
            return scores
        translated = np.full(inputs.shape, -np.inf, np.float32)
        known = self._place >= 0
        translated[:, known] = scores[:, self._place[known]]
        return translated
