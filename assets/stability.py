"""The asset that tells how far the nearest tokens of each latent space hold.

An asset here has names, metadata and one call into `pipeline`. What the call does, and how its value is kept, does not
belong here.
"""

from typing import Any

import dagster as dg

from assets import checks, metadata
from assets.declaration import FITS, asset, data_version
from assets.fits_metadata import of_replicas
from assets.resources import MLflow
from assets.storage import for_people
from pipeline import estimators
from pipeline.config.dataset import Dataset
from pipeline.estimators import EMBEDDING, PCA
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.fits import Fits
from pipeline.experiment.replicas import replicated
from pipeline.vocabulary.vocabulary import Vocabulary


def stability_asset(conf: Dataset) -> dg.AssetsDefinition:
    """The fits with their replicas."""

    @asset(
        conf,
        "stability",
        description="How far the nearest tokens hold: each embedding, and PCA of the same D, is learned again from "
        "halves of the examples, and the lists of nearest tokens are compared. Each run's embedding.parquet gets the "
        "stability of every token, and how many of these replicas support each neighbour.",
        kinds={"numpy", "mlflow"},
        settings=FITS | {"replicas"},
        upstream=("vocabulary", "sparse_examples", "embedding", "pca"),
        modules=[*estimators.modules(EMBEDDING, conf), *estimators.modules(PCA, conf)],
    )
    def stability(
        context: dg.AssetExecutionContext,
        embedding_mlflow: dg.ResourceParam[MLflow],
        vocabulary: Vocabulary,
        sparse_examples: SparseExamples,
        embedding: Fits,
        pca: Fits,
    ) -> dg.MaterializeResult[Any]:
        with for_people(conf.file):
            tracker = embedding_mlflow.tracker(conf, context.instance)
            fits = [*embedding.fits, *pca.fits]
            done = replicated(conf, fits, vocabulary, sparse_examples, tracker, context.log)
        return dg.MaterializeResult(
            value=Fits(tuple(done)),
            data_version=data_version([[fit.run_id, fit.metrics.get("stability")] for fit in done]),
            metadata=of_replicas(done, len(vocabulary), embedding_mlflow) | metadata.made_from(context),
            check_results=checks.of_stability(done),
        )

    return stability
