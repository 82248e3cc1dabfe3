"""The assets before a fit: raw records, the vocabulary, sparse examples.

An asset here has names, metadata and one call into `pipeline`. What the call does, and how its value is kept, does not
belong here.
"""

from pathlib import Path
from typing import Any

import dagster as dg

from assets import checks, metadata
from assets.declaration import RECORDS, TOKENS, asset, data_version
from assets.home import home
from assets.resources import MLflow
from assets.storage import for_people, values
from assets.vocabulary_metadata import in_words, of_vocabulary
from pipeline.config.dataset import Dataset
from pipeline.examples.encoding import encode_records
from pipeline.experiment.last_version import kept_from_last
from pipeline.records.columns import roles
from pipeline.records.ingest import ingest
from pipeline.records.records import Records
from pipeline.vocabulary.counted import Counted, count
from pipeline.vocabulary.vocabulary import Vocabulary

_GIVEN = "given"
"""The parameter that gets the value of an asset of another project."""


def raw_records_assets(conf: Dataset, conf_folder: Path) -> list[dg.AssetsDefinition]:
    """The records that can be used, as Parquet, all of which are read each time."""

    @asset(
        conf,
        "raw_records",
        description="The records of the source that can be used, as they come, as Parquet; beside them, in quarantine, "
        f"those that cannot. {conf.description}",
        kinds={"polars", "parquet"},
        settings=RECORDS,
        ins={_GIVEN: dg.AssetIn(dg.AssetKey.from_user_string(conf.source.asset))} if conf.source.asset else {},
    )
    def raw_records(context: dg.AssetExecutionContext, **given: Any) -> dg.MaterializeResult[Any]:
        with for_people(conf.file):
            records = ingest(conf, conf_folder, values().scratch(context), home() / "downloads", given.get(_GIVEN))
        return dg.MaterializeResult(
            value=records,
            data_version=data_version(records.checksums),
            metadata=metadata.of_records(records, conf.name, roles(conf)),
            check_results=checks.of_records(records, conf),
        )

    return [raw_records]


def vocabulary_asset(conf: Dataset) -> dg.AssetsDefinition:
    """The dictionary of the tokens."""

    @asset(
        conf,
        "vocabulary",
        description="The dictionary that gives every token an integer 0..V-1, the most frequent first, counted on the "
        "training examples only. When data has changed, known tokens keep their integers, and new ones follow. Its "
        "fingerprint travels with everything that is made with it. Beside it lies the table of all pairs of an example "
        "and a token.",
        kinds={"polars", "parquet"},
        settings=TOKENS,
        upstream=("raw_records",),
        on_cluster=conf.engine == "ray",
    )
    def vocabulary(
        context: dg.AssetExecutionContext, embedding_mlflow: dg.ResourceParam[MLflow], raw_records: Records
    ) -> dg.MaterializeResult[Any]:
        with for_people(conf.file):
            kept = kept_from_last(conf, embedding_mlflow.tracker(conf, context.instance))
            counted = count(raw_records, conf, kept)
        built = counted.vocabulary
        before = values().previous(context.asset_key, Vocabulary)
        said = in_words(built, kept.vocabulary, before)
        context.log.info(f"{conf.name}: the vocabulary has {len(built):,} tokens{said}")
        return dg.MaterializeResult(
            value=counted,
            data_version=dg.DataVersion(built.fingerprint_with_labels),
            metadata=of_vocabulary(built, kept.vocabulary) | metadata.made_from(context),
            check_results=checks.of_vocabulary(built, before),
        )

    return vocabulary


def sparse_examples_asset(conf: Dataset) -> dg.AssetsDefinition:
    """Every example as a sparse list of integers."""

    @asset(
        conf,
        "sparse_examples",
        description="Every example as a sparse list of integers, such as [1, 3, 999999], instead of a row of a million "
        "zeros and ones: a CSR matrix on disk, with each example's id, split and dense features.",
        kinds={"numpy", "polars"},
        settings=TOKENS | {"weight"},
        upstream=("raw_records", "vocabulary"),
        on_cluster=conf.engine == "ray",
    )
    def sparse_examples(
        context: dg.AssetExecutionContext, raw_records: Records, vocabulary: Counted
    ) -> dg.MaterializeResult[Any]:
        with for_people(conf.file):
            examples = encode_records(raw_records, vocabulary, conf)
        context.log.info(f"{conf.name}: {len(examples):,} sparse examples, {len(examples.indices):,} stored entries")
        if checks.hardly_known(examples):
            context.log.warning(
                f"{conf.name}: {examples.n_empty:,} of {len(examples):,} examples have no token of the vocabulary, so "
                "an embedding says nothing about them. Lower `vocabulary.min_count`, or make `tokens` of what repeats."
            )
        heaviest = checks.heaviest_of(examples)
        if heaviest.drowns:
            context.log.warning(
                f"{conf.name}: example {heaviest.example!r} has {heaviest.share:.0%} of the weight of all training "
                f"examples, so little is learned from the others. If its {conf.weight} is wrong, leave it out with "
                "`source.where`."
            )
        return dg.MaterializeResult(
            value=examples,
            data_version=dg.DataVersion(examples.fingerprint),
            metadata=metadata.of_examples(examples, vocabulary.vocabulary) | metadata.made_from(context),
            check_results=checks.of_examples(examples),
        )

    return sparse_examples
