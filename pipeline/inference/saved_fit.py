"""A fit as files, without pickles: all that inference needs, and what a model is made from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding, Fitted
from pipeline.estimators import estimator_type

EMBEDDING_FILE = "embedding.parquet"
FIT_FILE = "fit.json"
_WEIGHTS_FILE = "weights.npz"
FILES = (EMBEDDING_FILE, _WEIGHTS_FILE, FIT_FILE)
"""The names of the files of a fit."""


def scores_file(part: str) -> str:
    """The name of the file beside them with the scores of each held-out example of a part."""
    return f"{part}_examples.parquet"


@dataclass(frozen=True)
class Material:
    """What a model is made from."""

    fit: Path
    """The folder of the fit, with its scores of validation and test examples."""
    about: pl.DataFrame
    """One row for each token, in the vocabulary's order, with the columns that describe it."""
    records: pl.LazyFrame
    """The raw records, which say what columns there are."""
    written: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """How their source writes numbers, see `Records.written`."""
    space: Path | None = None
    """`embedding.parquet` of another fit, if this one is of a method without a latent space."""
    conf: Dataset | None = None
    """The settings by which it reads and answers, resolved; None: those of the day of the fit."""


def save_fitted(fitted: Fitted, method: str, conf: Dataset, run_id: str, folder: Path) -> None:
    """Write `embedding.parquet`, `weights.npz` and `fit.json`.

    Args:
        fitted: the fit.
        method: the name of its estimator.
        conf: the dataset, resolved.
        run_id: the MLflow run that it comes from.
        folder: where the files are written.
    """
    provenance = {
        "dataset": conf.name,
        "method": method,
        "dimension": str(fitted.embedding.dimension),
        "mlflow_run": run_id,
        "vocabulary": fitted.embedding.vocabulary.fingerprint,
    }
    replace(fitted.embedding, provenance=provenance).save(folder / EMBEDDING_FILE)
    arrays: dict[str, Any] = dict(fitted.weights)
    np.savez(folder / _WEIGHTS_FILE, allow_pickle=False, **arrays)
    (folder / FIT_FILE).write_text(json.dumps({**provenance, "conf": conf.model_dump(mode="json")}, indent=2))


def load_fitted(folder: str | Path) -> Fitted:
    """The fit that `save_fitted` wrote, ready to score."""
    folder = Path(folder)
    embedding = Embedding.load(folder / EMBEDDING_FILE)
    with np.load(folder / _WEIGHTS_FILE, allow_pickle=False) as file:
        weights = {name: file[name] for name in file.files}
    return estimator_type(method_of(folder)).restore(embedding, weights, conf_of(folder))


def answer_by(conf: Dataset, folder: Path) -> None:
    """Write settings into a copy of a fit, which may be older than they: its columns may have had other names."""
    path = folder / FIT_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "conf": conf.model_dump(mode="json")}, indent=2))


def method_of(folder: Path) -> str:
    """The name of the estimator of a fit."""
    return str(json.loads((folder / FIT_FILE).read_text())["method"])


def conf_of(folder: Path) -> Dataset:
    """The dataset of a fit, resolved."""
    return Dataset.model_validate(json.loads((folder / FIT_FILE).read_text())["conf"])
