"""The factory: one conf file becomes one group of assets, a chain from the raw records to what people open."""

from pathlib import Path

import dagster as dg

from assets import launchpad
from assets.fits import fits_asset
from assets.inference import inference_assets
from assets.periods import period_assets
from assets.preparation import raw_records_assets, sparse_examples_asset, vocabulary_asset
from assets.results import comparison_asset, exports_asset, pages_asset, report_asset
from assets.stability import stability_asset
from pipeline.config.dataset import Dataset
from pipeline.estimators import EMBEDDING, PCA


def dataset_assets(conf: Dataset, conf_folder: Path) -> list[dg.AssetsDefinition]:
    """The assets of one dataset, in the order of the pipeline, in a group with the name of the dataset.

    Args:
        conf: the dataset.
        conf_folder: the folder of its file, from which relative paths in it start.
    """
    dimensions = ", ".join(map(str, conf.dimensions or ("1", "2", "4 and so on")))
    others = [baseline.kind for baseline in conf.baselines if baseline.kind != PCA]
    return [
        *(period_assets if conf.source.period else raw_records_assets)(conf, conf_folder),
        vocabulary_asset(conf),
        sparse_examples_asset(conf),
        fits_asset(
            conf,
            "embedding",
            [EMBEDDING],
            launchpad.embedding_config,
            "The learned embedding: the weights between the sparse input and a hidden layer of D nodes are the "
            f"coordinates of the tokens. Trained with Lightning for D = {dimensions}, one MLflow run each; a fit that "
            "is unchanged is reused.",
            kinds={"pytorch", "lightning", "mlflow"},
            priority=-1,  # the last runs are the first that MLflow shows
        ),
        fits_asset(
            conf,
            "pca",
            [PCA],
            launchpad.pca_config,
            "The baseline: centred PCA of the same D on the same sparse examples, one MLflow run each. It keeps what "
            "varies most; the learned embedding keeps what the task needs.",
            kinds={"scikitlearn", "mlflow"},
        ),
        fits_asset(
            conf,
            "other_baselines",
            others,
            launchpad.other_baselines_config,
            f"What an embedding has to beat beside PCA: {', '.join(others) or 'nothing'}. Validation chooses the "
            "settings of each.",
            kinds={"numpy", "mlflow"},
        ),
        stability_asset(conf),
        comparison_asset(conf),
        pages_asset(conf),
        report_asset(conf),
        exports_asset(conf),
        *inference_assets(conf),
    ]
