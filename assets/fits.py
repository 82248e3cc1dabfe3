"""The assets that fit: the learned embedding, PCA and the other baselines; each fit is a run in MLflow."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from assets import checks, launchpad, metadata
from assets.declaration import FITS, asset, data_version
from assets.fits_metadata import of_fits
from assets.home import home
from assets.resources import MLflow
from assets.storage import for_people
from pipeline import estimators
from pipeline.cluster.tasks import engine
from pipeline.config.dataset import Dataset
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.fitting import fit_all
from pipeline.vocabulary.vocabulary import Vocabulary


def fits_asset(
    conf: Dataset,
    name: str,
    methods: Sequence[str],
    config_of: Callable[[Dataset], type[dg.Config]],
    description: str,
    kinds: set[str],
    priority: int = 0,
) -> dg.AssetsDefinition:
    """An asset that fits some methods; each fit is a run of the dataset's experiment."""
    kind = config_of(conf)
    modules = [module for method in methods for module in estimators.modules(method, conf)]

    @asset(
        conf,
        name,
        description=description,
        kinds=kinds,
        settings=FITS | ({"refresh"} if estimators.EMBEDDING in methods else set()),
        upstream=("vocabulary", "sparse_examples"),
        modules=modules,
        priority=priority,
        config_schema=launchpad.schema(conf, name, kind),
        on_cluster=estimators.EMBEDDING in methods and conf.training.workers > 1,
    )
    def fits(
        context: dg.AssetExecutionContext,
        embedding_mlflow: dg.ResourceParam[MLflow],
        vocabulary: Vocabulary,
        sparse_examples: SparseExamples,
    ) -> dg.MaterializeResult[Any]:
        with for_people(conf.file), engine(conf.engine, conf.file):
            config = kind(**context.op_execution_context.op_config)
            asked = launchpad.with_config(conf, name, config)
            tracker = embedding_mlflow.tracker(conf, context.instance)
            done = fit_all(
                methods,
                asked,
                vocabulary,
                sparse_examples,
                tracker,
                tags=embedding_mlflow.tags(context),
                force=launchpad.is_forced(config),
                log=context.log,
                checkpoints=home() / "checkpoints",
            )
            checked = checks.of_fits(name, done.fits, tracker)
        primary = conf.task.resolved(len(vocabulary)).metrics[0]
        return dg.MaterializeResult(
            value=done,
            data_version=data_version([fit.run_id for fit in done.fits]),
            metadata=of_fits(done.fits, primary, embedding_mlflow, vocabulary) | metadata.made_from(context),
            check_results=checked,
        )

    return fits
