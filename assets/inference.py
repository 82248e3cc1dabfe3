"""The assets that put a fit to work: the champion, and what it recommends for every example.

An asset here has names, metadata and one call into `pipeline`. What the call does, and how its value is kept, does not
belong here.
"""

from typing import Any

import dagster as dg

from assets import checks, metadata
from assets.declaration import FITS, TOKENS, asset, data_version
from assets.inference_metadata import of_champion, of_recommendations
from assets.resources import MLflow
from assets.storage import for_people, values
from pipeline.config.dataset import Dataset
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.champion import Champion, crown
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.load_model import load
from pipeline.inference.bulk import recommend_each
from pipeline.records.records import Records
from pipeline.vocabulary.vocabulary import Vocabulary


def champion_asset(conf: Dataset) -> dg.AssetsDefinition:
    """The fit that answers."""

    @asset(
        conf,
        "champion",
        description="The fit that answers: a version of the dataset's model in MLflow's registry, with the alias "
        "`champion`. The best fit on validation, or a baseline that ignores the example where none is shown to be "
        "better, takes its place unless it is worse on the same held-out examples, or a person has chosen a version.",
        kinds={"mlflow"},
        settings=FITS | {"inference", "example", "tokens", "weight"},
        upstream=("raw_records", "vocabulary", "sparse_examples", "comparison"),
        modules=["pipeline.experiment.model_code", conf.task.answers_with.rpartition(".")[0]],
    )
    def champion(
        context: dg.AssetExecutionContext,
        embedding_mlflow: dg.ResourceParam[MLflow],
        raw_records: Records,
        vocabulary: Vocabulary,
        sparse_examples: SparseExamples,
        comparison: Comparison,
    ) -> dg.MaterializeResult[Any]:
        with for_people(conf.file):
            tracker = embedding_mlflow.tracker(conf, context.instance)
            made = crown(conf, comparison, raw_records, vocabulary, sparse_examples, tracker, context.log)
        return dg.MaterializeResult(
            value=made,
            data_version=data_version([made.version, made.run_id]),
            metadata=of_champion(made, embedding_mlflow) | metadata.made_from(context),
            check_results=checks.of_champion(made),
        )

    return champion


def recommendations_asset(conf: Dataset) -> dg.AssetsDefinition:
    """What the champion recommends for every example."""

    @asset(
        conf,
        "recommendations",
        description=f"The {conf.inference.top} tokens that the champion recommends for each example, the best first, "
        "as Parquet; those of its list are never among them.",
        kinds={"parquet"},
        settings=TOKENS | {"inference"},
        upstream=("vocabulary", "sparse_examples", "champion"),
        modules=["pipeline.inference.recommender"],
        on_cluster=conf.engine == "ray",
    )
    def recommendations(
        context: dg.AssetExecutionContext,
        embedding_mlflow: dg.ResourceParam[MLflow],
        vocabulary: Vocabulary,
        sparse_examples: SparseExamples,
        champion: Champion,
    ) -> dg.MaterializeResult[Any]:
        with for_people(conf.file):
            model = load(f"models:/{conf.name}/{champion.version}", embedding_mlflow.tracking_uri)
            scratch = values().scratch(context)
            made = recommend_each(model, sparse_examples, vocabulary, scratch, context.log, conf.engine)
        return dg.MaterializeResult(
            value=made,
            data_version=data_version([champion.version, sparse_examples.fingerprint, conf.inference.top]),
            metadata=of_recommendations(made, champion) | metadata.made_from(context),
        )

    return recommendations


def inference_assets(conf: Dataset) -> list[dg.AssetsDefinition]:
    """The champion and, where tokens are predicted, its recommendations."""
    return [champion_asset(conf), *([recommendations_asset(conf)] if conf.task.predicts_tokens else [])]
