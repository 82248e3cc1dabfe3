"""Sparse records to evaluated embeddings.

The path of the data, one folder for each step:

    out_of_core  batches of numbers -> arrays on disk, larger than memory
    cluster      a function -> workers on several machines that run it, with Ray
    config       conf/*.yaml -> one experiment, checked
    records      files, databases and samples -> (example, token, label, part) pairs
    proposal     a source -> a commented conf file that runs
    vocabulary   pairs of the training examples -> the dictionary token <-> 0..V-1
    examples     pairs and vocabulary -> sparse examples, a CSR matrix on disk
    similarity   vectors -> which tokens are nearest, and how far that holds
    embedding    the result of every fit: vectors of tokens, and a `Fitted` that scores
    evaluation   a fit and held-out examples -> metrics, intervals, choices
    pictures     embeddings and tables -> pictures
    tasks        everything that is specific to one kind of prediction
    baselines    sparse examples -> fits to beat, PCA among them
    network      sparse examples -> the learned fit, trained with Lightning
    estimators   every method that can be fitted, by name
    inference    a finished fit and new lists or records -> answers
    experiment   settings and examples -> MLflow runs, and their comparison
    views        comparison and fits -> pages, reports, exports

Outside this path: `errors`, the one exception for users, `secrets`, which nothing may show, `schemas`, the columns of
every frame, `arrays`, the type of arrays, `accelerators`, the GPU that is there, `quiet`, which keeps the remarks of
libraries out of the log, and `home`, where everything is by default. A module never imports from a folder further down
in this list, and no module here imports Dagster: that is for `assets/`. `make check` verifies both.

`pipeline.load("movies")` gives the champion of a dataset.
"""

import os
from typing import TYPE_CHECKING

# PyTorch then asks Linux for large pages. Without them, memory for a million logits takes as long as their computation.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

if TYPE_CHECKING:
    from pipeline.inference.model import Model

__all__ = ["load"]


def load(name: str | os.PathLike[str], mlflow: str | None = None) -> "Model":
    """The model that answers for a dataset, such as `load("movies").recommend(["Alien (1979)"])`.

    Args:
        name: a dataset, whose champion is meant; or an address in MLflow, `models:/movies/2` or `runs:/<run>/model`; or
            a folder with a model.
        mlflow: where MLflow keeps runs and models. Default: MLFLOW_TRACKING_URI, or the database in PIPELINE_HOME.

    Raises:
        PipelineError: there is no such model.
    """
    from pipeline.experiment.load_model import load as loaded

    return loaded(name, mlflow)
