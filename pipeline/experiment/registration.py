"""The versions of a dataset's model: a fit becomes one, with all that its model needs to answer."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.errors import number_of
from pipeline.estimators import EMBEDDING, estimator_type
from pipeline.evaluation.metrics import decimals
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.examples.weight_scale import WeightScale
from pipeline.experiment.cache_key import key_of
from pipeline.experiment.code_version import code_version
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fit
from pipeline.experiment.last_version import kept_from_last, write_parts
from pipeline.experiment.model_registry import ModelRegistry, Version
from pipeline.experiment.packaging import FOLDER, answers_by, package
from pipeline.experiment.promotion import LEARNED_FROM
from pipeline.experiment.recorded import goes_by_order
from pipeline.experiment.tracking import Tracker
from pipeline.inference.described_tokens import described
from pipeline.inference.saved_fit import EMBEDDING_FILE, Material
from pipeline.records.records import Records
from pipeline.records.splitting.assignment import Assignment, are_learned_from
from pipeline.vocabulary.vocabulary import Vocabulary


def registered(
    registry: ModelRegistry,
    fit: Fit,
    conf: Dataset,
    comparison: Comparison,
    records: Records,
    examples: SparseExamples,
    tracker: Tracker,
) -> Version:
    """The version of a fit: one that was made before of the same, or a new one.

    Args:
        registry: of the dataset's model.
        fit: one of the comparison.
        conf: the dataset.
        comparison: of all its fits.
        records: the raw records, for what describes tokens, and for how numbers are written.
        examples: those that the fit has learned from.
        tracker: the dataset's MLflow experiment.
    """
    vocabulary = Embedding.load(tracker.file(fit.run_id, EMBEDDING_FILE)).vocabulary
    about, scale = vocabulary.beside(described(records.frame, conf)), WeightScale.of(examples.about)
    key = _key(fit, conf, vocabulary, about, scale)
    versions = registry.versions()
    same = next((one for one in versions if one.tags.get("key") == key), None)
    if same is not None:
        return same
    is_first = all(one.run_id != fit.run_id for one in versions)
    place = FOLDER if is_first else f"{FOLDER}-{key}"  # an earlier version of this fit keeps its files
    conf = conf.resolved(examples.n_training, examples.shape[1])
    metrics = {name: value for name, value in fit.metrics.items() if name in comparison.metrics}
    space = _with_a_space(fit, comparison)
    vectors = None if space == fit else tracker.file(space.run_id, EMBEDDING_FILE)
    order = " It reads each list in its order, the latest token last." if goes_by_order(tracker, fit) else ""
    sentence = _in_words(fit, comparison) + order
    facts = {
        "name": conf.name,
        "dataset": conf.name,
        "fit": fit.name,
        "method": fit.method,
        "dimension": fit.dimension,
        "space": space.name,
        "mlflow_run": fit.run_id,
        "said": sentence,
        "metrics": metrics,
        "description": conf.description,
        **scale.facts(),
    }
    material = Material(tracker.folder(fit.run_id), about, records.frame, records.written, vectors)
    _keep_in_run(fit, place, conf, material, facts, examples, tracker)
    tags = {
        "key": key,
        "fit": fit.name,
        "method": fit.method,
        "dimension": str(fit.dimension),
        "examples": examples.fingerprint,
        "vocabulary": examples.about["vocabulary"],
        **{name: f"{value:.6g}" for name, value in metrics.items()},
    }
    source = f"{tracker.client.get_run(fit.run_id).info.artifact_uri}/{place}"
    return registry.register(fit.run_id, source, sentence, tags)


def _keep_in_run(
    fit: Fit,
    place: str,
    conf: Dataset,
    material: Material,
    facts: dict[str, Any],
    examples: SparseExamples,
    tracker: Tracker,
) -> None:
    """Keep a model in the run of its fit, with what later versions ask of it: which examples it has learned from."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package(conf, material, facts, folder / place)
        is_learned = are_learned_from(Assignment(examples.frame, np.empty(0)), conf)
        learned = examples.frame.select(examples.known_by.alias("example"), "group").filter(is_learned)
        learned.write_parquet(folder / LEARNED_FROM)
        write_parts(examples, conf, kept_from_last(conf, tracker), folder)
        tracker.keep(fit.run_id, folder, {})


def _with_a_space(fit: Fit, comparison: Comparison) -> Fit:
    """The fit whose latent space people look around in: the best learned one if this one has none."""
    if fit.dimension > 1 or estimator_type(fit.method).is_swept or EMBEDDING not in comparison.frame["method"]:
        return fit
    return comparison.best


def _in_words(fit: Fit, comparison: Comparison) -> str:
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
