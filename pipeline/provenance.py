"""What decides a fit: its inputs, settings, code and libraries, as a key that tells whether it was done before."""

import ast
import hashlib
import importlib.util
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.config import Dataset
from pipeline.encoding import SparseExamples
from pipeline.methods import Method
from pipeline.vocabulary import Vocabulary

_SHARED_CODE = ("config", "embedding", "encoding", "evaluation", "fitting", "intervals", "numbers", "rows")


def fit_key(method: Method, conf: Dataset, examples: SparseExamples, dimension: int | None) -> str:
    """What decides the result of a fit, as 16 hexadecimal digits: inputs, settings, code and library versions."""
    decides = {
        "method": method.name,
        "dimension": dimension,
        "examples": examples.fingerprint,
        "settings": conf.model_dump(mode="json", include={"task", "seed", "refit", "precision"}),
        "own": _own_settings(method, conf),
        "code": code_version(*_SHARED_CODE, method.module, *method.code),
        "libraries": {name: version(name) for name in ("numpy", "scipy", *method.libraries)},
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def _own_settings(method: Method, conf: Dataset) -> dict[str, Any]:
    return method.settings(conf).model_dump(mode="json", exclude={"kind", "dimensions"})


@cache
def code_version(*modules: str) -> str:
    """16 hexadecimal digits that change with the code of these modules of `pipeline`, but not with its comments."""
    hasher = hashlib.sha256()
    for module in modules:
        spec = importlib.util.find_spec(f"pipeline.{module}")
        assert spec is not None
        assert spec.origin is not None
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):  # a bare string is a docstring, and documents only
                body[:] = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
        hasher.update(ast.dump(tree).encode())
    return hasher.hexdigest()[:16]


def run_params(
    method: Method, conf: Dataset, vocabulary: Vocabulary, examples: SparseExamples, dimension: int | None
) -> dict[str, str]:
    """Every setting that could change the result, by its path in conf, and the fingerprints of the inputs.

    What validation decides comes later, as `selected.*`; and so does the dimension where that is among it. MLflow's
    Compare page starts with the first names that differ: among embeddings and PCA these are `dimension` and `method`.
    """
    params: dict[str, Any] = {} if dimension is None else {"dimension": dimension}
    params |= {"method": method.name, "vocabulary_size": len(vocabulary)}
    params |= {"vocabulary_fingerprint": vocabulary.fingerprint, "examples_fingerprint": examples.fingerprint}
    elsewhere = {"name", "description", "dimensions", "rivals", "baseline", "training"}
    section = "training" if method.name == "embedding" else method.name
    params |= _flat(conf.model_dump(mode="json", exclude=elsewhere) | {section: _own_settings(method, conf)})
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in params.items()}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted path; what is not set is left out."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = {str(i): item for i, item in enumerate(value)}
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is not None:
            flat[prefix + key] = value
    return flat
