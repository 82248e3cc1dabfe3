"""What decides a fit: its inputs, settings, code and libraries, as a key that tells whether it was done before."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pipeline.config.dataset import Dataset
from pipeline.embedding import Estimator
from pipeline.estimators import EMBEDDING, modules
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.code_version import code_version, library_versions
from pipeline.vocabulary.vocabulary import Vocabulary

_JUDGE = "pipeline.experiment.cross_fitting"


def key_of(decides: Any) -> str:
    """16 hexadecimal digits that change with what decides a result, given as values that JSON can hold."""
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def fit_key(method: Estimator, conf: Dataset, examples: SparseExamples, dimension: int | None) -> str:
    """16 hexadecimal digits that change with all that decides a fit: inputs, settings, code and library versions."""
    decided_by = [_JUDGE, *modules(method.name, conf)]
    decides = {
        "method": method.name,
        "dimension": dimension,
        "examples": examples.fingerprint,
        "settings": conf.model_dump(mode="json", include={"task", "seed", "seeds", "refit", "precision"}),
        "own": method.settings(),
        "code": code_version(*decided_by),
        "libraries": library_versions(*decided_by),
    }
    return key_of(decides)


def run_params(
    method: Estimator, conf: Dataset, vocabulary: Vocabulary, examples: SparseExamples, dimension: int | None
) -> dict[str, str]:
    """Every setting that could change a number, by its path in conf, and the fingerprints of the inputs.

    What validation decides is logged later, as `selected.*`, and so is the dimension of a method without a D to sweep.
    MLflow's Compare page starts with the first names that differ: among embeddings and PCA these are `dimension` and
    `method`.
    """
    params: dict[str, Any] = {} if dimension is None else {"dimension": dimension}
    params |= {"method": method.name, "vocabulary_size": len(vocabulary)}
    params |= {"vocabulary_fingerprint": vocabulary.fingerprint, "examples_fingerprint": examples.fingerprint}
    elsewhere = {"name", "description", "engine", "dimensions", "baselines", "training", "inference", "replicas"}
    params |= {"split.in_words": examples.about["divided"]} if examples.about.get("divided") else {}
    section = "training" if method.name == EMBEDDING else method.name
    settings = conf.undescribed().model_dump(mode="json", exclude={*elsewhere, "refresh"})
    params |= _flat(settings | {section: method.settings()})
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in params.items()}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted path, without those that are not set."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = {str(i): item for i, item in enumerate(value)}
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is not None:
            flat[prefix + key] = value
    return flat
