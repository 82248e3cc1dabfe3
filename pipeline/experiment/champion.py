"""The champion of a dataset: which fit answers, and why.

The best fit by validation becomes a version of the dataset's model, or a baseline that ignores the example where no fit
is shown to be better. It becomes champion unless it is worse than the present one on the same held-out examples.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from pipeline.config.dataset import Dataset
from pipeline.estimators import estimator_type
from pipeline.evaluation.bootstrap import FEWEST, difference, n_independent, resampled
from pipeline.evaluation.metrics import measure, primary_score
from pipeline.evaluation.selection import first_of_the_best
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fit
from pipeline.experiment.model_registry import ModelRegistry, Version
from pipeline.experiment.packaging import data_of
from pipeline.experiment.promotion import Contest, Decision, in_another_unit
from pipeline.experiment.recorded import recorded_scores
from pipeline.experiment.registration import registered
from pipeline.experiment.tracking import Tracker
from pipeline.inference.model import FACTS_FILE
from pipeline.records.records import Records
from pipeline.vocabulary.vocabulary import Vocabulary


@dataclass(frozen=True)
class Champion:
    """Which version answers, and why."""

    dataset: str
    version: str
    run_id: str
    fit: str
    candidate: str
    """The version of this contest's best fit."""
    moved: bool
    """Whether the alias was moved."""
    said: str
    """Why it was moved or stayed, in a sentence."""
    facts: Mapping[str, Any]
    """What is known of the champion's model."""

    def save(self, folder: Path) -> None:
        """Write `champion.json`."""
        (folder / "champion.json").write_text(json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**json.loads((folder / "champion.json").read_text()))


def best_fit(comparison: Comparison, conf: Dataset, tracker: Tracker) -> Fit:
    """The fit of any method that is best on validation; without validation, the learned one with the most dimensions.

    A baseline that ignores the example answers where none is shown to be better: chance alone would take one that has
    adapted itself to the validation examples. Of fits that are equally good the first of the table is taken: those
    without a D come first, then the smaller D.
    """
    fits = comparison.fits
    recorded = [recorded_scores(tracker, fit.run_id, "validation") for fit in fits]
    frames = [frame for frame in recorded if frame is not None]
    if len(frames) < len(fits):
        return comparison.best
    measured, drawn = [measure(conf.task, frame) for frame in frames], resampled(conf.task, frames)
    values = [primary_score(conf.task, of_fit) for of_fit in measured]
    errors = [float(np.std(primary_score(conf.task, draws))) for draws in drawn]
    best = first_of_the_best(values, errors)
    blind = next((i for i, fit in enumerate(fits) if estimator_type(fit.method).ignores_examples), best)
    metric = conf.task.metrics[0]
    ours, theirs = ((measured[i][metric.name], drawn[i][metric.name]) for i in (best, blind))
    gain = difference(metric, ours, theirs, n_independent(frames[0]))
    return fits[best if gain.prefers_ours or gain.n < FEWEST else blind]


def crown(
    conf: Dataset,
    comparison: Comparison,
    records: Records,
    vocabulary: Vocabulary,
    examples: SparseExamples,
    tracker: Tracker,
    log: logging.Logger,
) -> Champion:
    """Register the best fit, and make it champion unless it is worse than the present one.

    Args:
        conf: the dataset.
        comparison: of all its fits.
        records: the raw records, for what describes tokens, and for how numbers are written.
        vocabulary: of the examples.
        examples: the sparse examples, on whose held-out part an earlier champion is scored anew.
        tracker: the dataset's MLflow experiment.
        log: gets a line that says what became of it.
    """
    registry, size = ModelRegistry(tracker.client, conf.name), (examples.n_training, examples.shape[1])
    fit = best_fit(comparison, conf.resolved(*size), tracker)
    with registry.alone():
        present = registry.champion()
        candidate = registered(registry, fit, conf, comparison, records, examples, tracker)
        conf = conf.resolved(*size)
        decision = _decided(registry, present, candidate, conf, vocabulary, examples, tracker)
        moved = decision.moves and (present is None or present.number != candidate.number)
        if moved:
            registry.move(candidate)
    registry.note(candidate, {"verdict": decision.said})
    champion = candidate if decision.moves or present is None else present
    facts = json.loads((data_of(registry.folder(champion)) / FACTS_FILE).read_text())
    log.info(f"{conf.name}: {decision.said}")
    return Champion(
        conf.name, champion.number, champion.run_id, champion.fit, candidate.number, moved, decision.said, facts
    )


def _decided(
    registry: ModelRegistry,
    present: Version | None,
    candidate: Version,
    conf: Dataset,
    vocabulary: Vocabulary,
    examples: SparseExamples,
    tracker: Tracker,
) -> Decision:
    if present is None:
        return Decision(True, f"version {candidate.number}, {candidate.fit}, is the first champion.")
    if not registry.has_files(present):
        said = f"version {candidate.number}, {candidate.fit}, is champion now: version {present.number}, {present.fit}"
        return Decision(True, f"{said}, is gone, because its run was removed from MLflow.")
    if registry.is_chosen_by_hand(present):
        return Decision(
            False,
            f"version {present.number}, {present.fit}, stays champion because a person chose it; version "
            f"{candidate.number}, {candidate.fit}, is the best of this contest."
            f"{in_another_unit(registry.folder(present), present, examples)}",
        )
    if present.number == candidate.number:
        return Decision(True, f"version {present.number}, {present.fit}, stays champion: it is still the best.")
    return Contest(conf, examples, tracker, registry.folder(present), vocabulary).decide(present, candidate)
