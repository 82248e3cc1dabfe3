"""Whether a new version becomes champion: not if it is worse than the present one on examples that neither has seen."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.records import Part
from pipeline.embedding import Fitted
from pipeline.errors import number_of
from pipeline.evaluation.bootstrap import FEWEST, apart, n_independent, paired
from pipeline.examples.sparse_examples import HELD_OUT, SparseExamples
from pipeline.examples.weight_scale import WeightScale
from pipeline.experiment.in_vocabulary import InVocabulary
from pipeline.experiment.model_registry import Version
from pipeline.experiment.packaging import data_of
from pipeline.experiment.recorded import recorded_scores
from pipeline.experiment.tracking import Tracker
from pipeline.inference.bulk import own_scales
from pipeline.inference.model import FACTS_FILE, Model
from pipeline.vocabulary.vocabulary import Vocabulary

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
    """Today's examples."""
    tracker: Tracker
    folder: Path
    """The folder of the present champion's model, as MLflow made it."""
    vocabulary: Vocabulary
    """Today's vocabulary."""

    def decide(self, present: Version, candidate: Version) -> Decision:
        """Compare both by the primary metric of the task, on validation examples, or on test if there are none.

        Where they were measured on different examples, a metric decides that does not depend on these.
        """
        who = f"version {candidate.number}, {candidate.fit}"
        whom = f"version {present.number}, {present.fit}"
        other = self._other_question()
        if other:
            return Decision(True, f"{who}, is champion now: {whom}, {other}.")
        for part in HELD_OUT:
            ours = recorded_scores(self.tracker, candidate.run_id, part)
            if ours is not None:
                break
        else:
            return Decision(True, f"{who}, is champion now: nothing is held out, so the newest answers.")
        theirs, which = self._scores_of_the_present(present, ours, part)
        if theirs is not None:
            ours = ours.filter(pl.col("example").is_in(theirs["example"].implode()))
            difference = paired(self.conf.task, ours, theirs)
            on_what = f"on {number_of(ours.height, f'{part} example')}{which}"
        else:
            theirs = recorded_scores(self.tracker, present.run_id, part)
            if theirs is None:
                return Decision(True, f"{who}, is champion now: {whom}, was never measured on held-out examples.")
            if unknown := self._unknown_classes():
                several = f"the class {unknown[0]!r}" if len(unknown) == 1 else f"{len(unknown)} of today's classes"
                return Decision(True, f"{who}, is champion now: {whom}, does not know {several}.")
            difference = apart(self.conf.task, ours, theirs)
            on_what = f"each on its own {part} examples, because no other ones are new to both"
        numbers = f"{difference.in_words}, {on_what}"
        if difference.verdict == "worse":
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
    def _model(self) -> Model:
        """The present champion."""
        return Model.load(data_of(self.folder))

    def _other_question(self) -> str:
        """That the present champion answers another question than conf asks, as the end of a sentence; or empty."""
        was, now = self._model.conf.task, self.conf.task
        if (was.kind, was.answer) != (now.kind, now.answer):
            return f"predicts {was.answer or 'tokens'} ({was.kind}), which conf asks no longer"
        return ""

    def _unknown_classes(self) -> list[str]:
        """Today's classes that the present champion does not know."""
        return sorted({*self.examples.about["classes"]} - {*self._model.facts.get("classes", ())})

    @cached_property
    def _fitted_for_today(self) -> Fitted | None:
        """The present champion over today's vocabulary; None if its features are other ones."""
        model = self._model
        facts, about = model.facts, self.examples.about
        if list(facts.get("dense", about["dense"])) != list(about["dense"]):
            return None
        classes = facts.get("classes", about["classes"]), about["classes"]
        scales = own_scales(model, self.examples)
        return InVocabulary(model.fitted, self.vocabulary, self.conf.task.predicts_tokens, scales, classes)


def in_another_unit(folder: Path, version: Version, examples: SparseExamples) -> str:
    """A sentence if the weights of the same examples come in another unit than a version reads; otherwise empty.

    Args:
        folder: of the version's model, as MLflow made it.
        version: with the fingerprint of the examples that it learned from.
        examples: those of today.
    """
    facts = json.loads((data_of(folder) / FACTS_FILE).read_text())
    is_same = version.tags.get("examples") == examples.fingerprint
    if not is_same or WeightScale.of(facts).unit == WeightScale.of(examples.about).unit:
        return ""
    return f" It reads {examples.about['weight']} in an earlier unit: choose a version of today, or VERSION=auto."
