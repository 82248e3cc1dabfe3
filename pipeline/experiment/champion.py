"""The champion of a dataset: which fit answers, and why.

The best fit by validation becomes a version of the dataset's model, or a baseline that ignores the example where no fit
is shown to be better. It becomes champion unless it is worse than the present one on the same held-out examples.
"""

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.errors import number_of
from pipeline.estimators import EMBEDDING, estimator_type
from pipeline.evaluation.bootstrap import FEWEST, difference, n_independent, resampled
from pipeline.evaluation.metrics import decimals, measure, primary_score
from pipeline.evaluation.selection import first_of_the_best
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.examples.weight_scale import WeightScale
from pipeline.experiment.cache_key import key_of
from pipeline.experiment.code_version import code_version
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fit
from pipeline.experiment.last_version import kept_from_last, write_parts
from pipeline.experiment.model_registry import ModelRegistry, Version
from pipeline.experiment.packaging import FOLDER, answers_by, data_of, package
from pipeline.experiment.promotion import LEARNED_FROM, Contest, Decision, in_another_unit
from pipeline.experiment.recorded import goes_by_order, recorded_scores
from pipeline.experiment.tracking import Tracker
from pipeline.inference.described_tokens import described
from pipeline.inference.model import FACTS_FILE
from pipeline.inference.saved_fit import EMBEDDING_FILE, Material
from pipeline.records.records import Records
from pipeline.records.splitting.assignment import Assignment, are_learned_from
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
    found = difference(metric, ours, theirs, n_independent(frames[0]))
    return fits[best if found.prefers_ours or found.n < FEWEST else blind]


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
        candidate = _registered(registry, fit, conf, comparison, records, examples, tracker)
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


def _registered(
    registry: ModelRegistry,
    fit: Fit,
    conf: Dataset,
    comparison: Comparison,
    records: Records,
    examples: SparseExamples,
    tracker: Tracker,
) -> Version:
    """The version of a fit: one that was made before of the same, or a new one."""
    vocabulary = Embedding.load(tracker.file(fit.run_id, EMBEDDING_FILE)).vocabulary
    about = vocabulary.beside(described(records.frame, conf))
    key = _key(fit, conf, vocabulary, about, WeightScale.of(examples.about))
    versions = registry.versions()
    found = next((one for one in versions if one.tags.get("key") == key), None)
    if found is not None:
        return found
    is_first = all(one.run_id != fit.run_id for one in versions)
    place = FOLDER if is_first else f"{FOLDER}-{key}"  # an earlier version of this fit keeps its files
    conf = conf.resolved(examples.n_training, examples.shape[1])
    values = {name: value for name, value in fit.metrics.items() if name in comparison.metrics}
    order = " It reads each list in its order, the latest token last." if goes_by_order(tracker, fit) else ""
    said = _said(fit, comparison) + order
    space = _with_a_space(fit, comparison)
    facts = {
        "name": conf.name,
        "dataset": conf.name,
        "fit": fit.name,
        "method": fit.method,
        "dimension": fit.dimension,
        "space": space.name,
        "mlflow_run": fit.run_id,
        "said": said,
        "metrics": values,
        "description": conf.description,
        **WeightScale.of(examples.about).facts(),
    }
    run = tracker.folder(fit.run_id)
    vectors = None if space == fit else tracker.file(space.run_id, EMBEDDING_FILE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / place
        package(conf, Material(run, about, records.frame, records.written, vectors), facts, folder)
        learned = are_learned_from(Assignment(examples.frame, np.empty(0)), conf)
        of_learned = examples.frame.select(examples.known_by.alias("example"), "group").filter(learned)
        of_learned.write_parquet(Path(name) / LEARNED_FROM)
        write_parts(examples, conf, kept_from_last(conf, tracker), Path(name))
        tracker.keep(fit.run_id, Path(name), {})
    source = f"{tracker.client.get_run(fit.run_id).info.artifact_uri}/{place}"
    tags = {
        "key": key,
        "fit": fit.name,
        "method": fit.method,
        "dimension": str(fit.dimension),
        "examples": examples.fingerprint,
        "vocabulary": examples.about["vocabulary"],
        **{name: f"{value:.6g}" for name, value in values.items()},
    }
    return registry.register(fit.run_id, source, said, tags)


def _with_a_space(fit: Fit, comparison: Comparison) -> Fit:
    """The fit whose latent space people look around in: the best learned one if this one has none."""
    if fit.dimension > 1 or estimator_type(fit.method).is_swept or EMBEDDING not in comparison.frame["method"]:
        return fit
    return comparison.best


def _said(fit: Fit, comparison: Comparison) -> str:
    """What a fit is, and how good, in a sentence."""
    if not comparison.metrics:
        return f"{fit.name}; nothing was held out to measure it."
    metric = comparison.metrics[0]
    n, part = comparison.about["n_examples"], comparison.about["part"]
    is_blind = estimator_type(fit.method).ignores_examples
    why = "as none is shown to be better on validation" if is_blind else "best on validation"
    value = fit.metrics[metric]
    return f"{fit.name}, {why}; {metric} is {value:,.{decimals(abs(value))}f} on {number_of(n, f'{part} example')}."


def _key(fit: Fit, conf: Dataset, vocabulary: Vocabulary, about: pl.DataFrame, scale: WeightScale) -> str:
    """16 hexadecimal digits that change with all that decides a model: its fit, labels, settings, code and so on."""
    decides = [
        fit.run_id,
        vocabulary.fingerprint_with_labels,
        int(about.hash_rows().sum()) if about.width else 0,
        scale.unit,  # no fit depends on the unit; its answers do
        answers_by(conf),
        code_version("pipeline.experiment.model_code", conf.task.answers_with.rpartition(".")[0]),
    ]
    return key_of(decides)
