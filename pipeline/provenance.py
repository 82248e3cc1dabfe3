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
from pipeline.vocabulary import Vocabulary

_SHARED_CODE = ("embedding", "encoding", "evaluation", "fitting", "numbers")
_CODE = {
    "embedding": (*_SHARED_CODE, "config", "models", "pca", "starts", "training", "batches"),
    "pca": (*_SHARED_CODE, "pca"),
    "popularity": (*_SHARED_CODE, "rivals"),
    "mean": (*_SHARED_CODE, "rivals"),
}
_LIBRARIES = {
    "embedding": ("torch", "pytorch-lightning", "scikit-learn"),
    "pca": ("scikit-learn",),
    "popularity": (),
    "mean": (),
}


def fit_key(method: str, conf: Dataset, examples: SparseExamples, dimension: int) -> str:
    """What decides the result of a fit, as 16 hexadecimal digits: inputs, settings, code and library versions."""
    section = {"embedding": "training", "pca": "baseline"}.get(method)
    decides = {
        "method": method,
        "dimension": dimension,
        "examples": examples.fingerprint,
        "settings": conf.model_dump(mode="json", include={"task", "seed"} | ({section} if section else set())),
        "code": code_version(*_CODE[method]),
        "libraries": {name: version(name) for name in ("numpy", "scipy", *_LIBRARIES[method])},
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


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
    method: str, conf: Dataset, vocabulary: Vocabulary, examples: SparseExamples, dimension: int
) -> dict[str, str]:
    """Every setting that could change the result, by its path in conf, and the fingerprints of the inputs."""
    not_ours = {"name", "description", "dimensions", "rivals"}
    not_ours |= {"embedding": {"baseline"}, "pca": {"training"}}.get(method, {"training", "baseline"})
    inputs = {"vocabulary_size": len(vocabulary), "vocabulary_fingerprint": vocabulary.fingerprint}
    params = {"dimension": dimension, "method": method, **inputs, "examples_fingerprint": examples.fingerprint}
    params |= _flat(conf.model_dump(mode="json", exclude=not_ours))
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
