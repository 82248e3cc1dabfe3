"""What the pages of the champion and of its recommendations say."""

from typing import Any

import dagster as dg
import polars as pl

from assets.metadata import facts, link_to, table_of
from assets.resources import MLflow
from pipeline.experiment.champion import Champion
from pipeline.inference.bulk import Recommendations


def of_champion(champion: Champion, mlflow: MLflow) -> dict[str, Any]:
    """Why this version answers, where it is, and how to ask it."""
    known = {
        "fit": champion.fit,
        "version": champion.version,
        "moved": champion.moved,
        "best of this contest": f"version {champion.candidate}",
        "interval covers, of test examples": champion.facts.get("covered"),
        "recall of the index": champion.facts.get("recall"),
    }
    said = champion.said[:1].upper() + champion.said[1:]
    example = f'import pipeline\n\nmodel = pipeline.load("{champion.dataset}")'
    return {
        "answer": dg.MetadataValue.md(f"{said}\n\nThe champion is {champion.facts['said']}"),
        "model": link_to(
            f"{champion.dataset}, version {champion.version}", mlflow.model_link(champion.dataset, champion.version)
        ),
        "in Python": dg.MetadataValue.md(f"```python\n{example}\n```"),
        "facts": facts({name: value for name, value in known.items() if value is not None}),
    }


def of_recommendations(made: Recommendations, champion: Champion) -> dict[str, Any]:
    """Which version recommends, for how many examples, and the first ones."""
    counts = made.frame.select(pl.len(), pl.col("example").n_unique().alias("examples")).collect()
    first = made.frame.filter(pl.col("rank") <= 3).head(9).select("example", "rank", "label").collect()
    rows, n = counts.row(0)
    where = f"`data/{champion.dataset}/recommendations`"
    by = f"version {champion.version}, {champion.fit}"
    return {
        "answer": dg.MetadataValue.md(f"{rows:,} recommendations for {n:,} examples, by {by}: {where}."),
        "dagster/row_count": rows,
        "examples": f"{n:,}",
        "champion": by,
        "the first": table_of(["example", "rank", "recommended"], first.rows()),
    }
