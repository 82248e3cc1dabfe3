"""What an asset's page says about its latest value: in at most ten rows, what matters, and links that work.

Dagster draws the history of each row that is a number, so only the number that matters most is one. The others stand in
a table of facts.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import dagster as dg
import dataframely as dy
import numpy as np
import polars as pl

from assets.resources import MLflow
from pipeline.estimators import EMBEDDING, PCA
from pipeline.examples.sparse_examples import HELD_OUT, SparseExamples
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fit
from pipeline.records.cleaning import quarantine
from pipeline.records.cleaning.counts import Counts
from pipeline.records.periods.survey import Survey
from pipeline.records.records import Records
from pipeline.records.source.paths import without_way_back
from pipeline.schemas import Examples
from pipeline.similarity.neighbour_index import NeighbourIndex
from pipeline.views import tables
from pipeline.views.answer import answer
from pipeline.vocabulary.vocabulary import Vocabulary, rule_of_thumb

SCHEMA = "dagster/column_schema"
AT_ONCE = 1000
"""Longer Markdown hides behind a button."""
_VERSION, _INPUT = "dagster/data_version", "dagster/input_data_version/"


def of_records(records: Records, dataset: str, roles: Mapping[str, str]) -> dict[str, Any]:
    """Rows, columns with what they are for, and what the records were read from."""
    columns = [
        dg.TableColumn(name, str(dtype), roles.get(name, "not used by this dataset"))
        for name, dtype in records.frame.collect_schema().items()
    ]
    return {
        "dagster/row_count": len(records),
        SCHEMA: dg.TableSchema(columns),
        "source": table_of(["file", "checksum"], _by_file(records.checksums.items())),
        "files": f"{len(records.checksums):,}",
        "rows": table_of(["rows", "what became of them"], _fates(records.counts)),
        **_of_quarantine(records, dataset),
        **({"found out": table_of(["what", "is"], list(records.found.items()))} if records.found else {}),
    }


def of_survey(survey: Survey) -> dict[str, Any]:
    """The periods of a source with their rows, the latest first, and the number of its files."""
    latest = list(survey.rows.items())[::-1][:20]
    return {
        "periods": len(survey.rows),
        "rows": table_of(["period", "rows"], [(one, written(n)) for one, n in latest]),
        "files": f"{len(survey.files):,}",
    }


def of_period(about: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of a period, what became of them, and the files that they were read from."""
    counts = Counts(**about["counts"])
    return {
        "dagster/row_count": counts.used,
        "rows": table_of(["rows", "what became of them"], _fates(counts)),
        "source": table_of(["file", "content"], _by_file(about["content"])),
    }


def _by_file(rows: Iterable[Sequence[str]]) -> list[tuple[str, str]]:
    """The first ten files, each with what is known of it."""
    return [(without_way_back(name), about) for name, about in islice(rows, 10)]


def _fates(counts: Counts) -> list[tuple[str, str]]:
    fates_by_count = [
        (counts.used, "used"),
        (counts.quarantined, "in quarantine: cannot be used"),
        (counts.filtered, "left out by `source.where`"),
        (counts.unanswered, "left out: without a value to predict"),
        (counts.merged, "merged with an equal record by `source.drop_duplicates`"),
    ]
    fates = [(counts.read, "read"), *((count, fate) for count, fate in fates_by_count if count or fate == "used")]
    return [(written(count), fate) for count, fate in fates]


def _code(text: str) -> str:
    """The start of a text as Markdown that shows it as it is."""
    return f"`{' '.join(text.replace('`', chr(39)).split())[:100]}`"


def _of_quarantine(records: Records, dataset: str) -> dict[str, Any]:
    """A table of the reasons, with the first record of each."""
    reasons = (
        records.quarantine.group_by("reason", "column", maintain_order=True)
        .agg(pl.len().alias("rows"), pl.col("file", "line", "raw").first())
        .sort("rows", descending=True, maintain_order=True)
        .head(20)
    )
    if reasons.is_empty():
        return {}
    rows = [
        (row["rows"], row["column"] or "", row["reason"], f"{Path(row['file']).name}:{row['line']}", _code(row["raw"]))
        for row in reasons.iter_rows(named=True)
    ]
    table = table_of(["rows", "column", "why", "first", "its text"], rows)
    return {"in quarantine": table, "quarantine": f"data/{dataset}/raw_records/{quarantine.FILE} in the home"}


def made_from(context: dg.AssetExecutionContext) -> dict[str, Any]:
    """Where a value comes from, back to the checksum of the source: each asset before it, as it was made last."""
    found: dict[dg.AssetKey, str] = {}
    waiting = sorted(context.assets_def.asset_deps[context.asset_key])
    while waiting:
        key = waiting.pop(0)
        event = None if key in found else context.instance.get_latest_materialization_event(key)
        if event is None or event.asset_materialization is None:
            continue
        tags = event.asset_materialization.tags or {}
        found[key] = f"- [{key.path[-1]}](/assets/{key.to_user_string()}) {tags.get(_VERSION, 'of no known version')}"
        waiting += [dg.AssetKey(tag.removeprefix(_INPUT).split("/")) for tag in sorted(tags) if tag.startswith(_INPUT)]
    return {"made from": dg.MetadataValue.md("\n".join(found.values()))}


def of_examples(examples: SparseExamples, vocabulary: Vocabulary) -> dict[str, Any]:
    """Shape, density, lengths, splits, what was left out, and one example both ways."""
    lengths = np.diff(examples.indptr)
    first, has_weights = int(np.argmax(lengths > 0)), len(examples.weights) > 0
    integers = examples.indices[examples.indptr[first] : examples.indptr[first + 1]]
    fold = examples.frame["fold"].drop_nulls()
    sizes = {"train examples": examples.n_training}
    sizes |= {f"{part} examples": len(examples.held_out(part)) for part in HELD_OUT}
    if len(fold):
        sizes = {"folds": examples.n_folds, "smallest fold": int(fold.value_counts()["count"].min())}  # type: ignore[arg-type]
    known = {
        "vocabulary V": examples.shape[1],
        "stored entries": len(examples.indices),
        "density": examples.density,
        **({"weight of a token, largest / mean": float(examples.weights.max())} if has_weights else {}),
        "tokens of an example, median": f"{np.median(lengths):,g}",
        "empty examples": examples.n_empty,
        **sizes,
        **({"split": split} if (split := examples.about.get("divided")) else {}),
        "unknown tokens left out": examples.about["unknown_tokens"],
        "fingerprint": examples.fingerprint,
    }
    return {
        "examples N": len(examples),
        "facts": facts(known),
        SCHEMA: schema_of(Examples),
        "an example": f"{examples.frame['example'][first]}: {integers[:8].tolist()} ... = "
        + ", ".join(vocabulary.labels[i] for i in integers[:4])
        + ", ...",
    }


def of_comparison(comparison: Comparison, mlflow: MLflow) -> dict[str, Any]:
    """The answer, links to the runs, the primary metric of each fit, the verdicts, and what they mean.

    Dagster's panel is as wide as its widest row, and cuts what is wider than 500 pixels: names are short here, a table
    has two columns, and the verdicts are a list. All metrics are in the report.
    """
    about = comparison.about
    known = {
        "measured on": about["part"],
        "examples": about["n_examples"],
        "best D on validation": about["best"],
        "smallest D not worse": about["smallest"],
        "fourth root of V": f"{rule_of_thumb(about['vocabulary_size']):.1f}",
    }
    best = {name: rounded(comparison.best.metrics[name]) for name in comparison.metrics[:1]}
    # MLflow draws the first few settings that differ: of these two methods alone, dimension and method
    both = [fit for fit in comparison.fits if fit.method in (EMBEDDING, PCA)]
    return {
        "answer": dg.MetadataValue.md(answer(comparison)),
        "runs in MLflow": link_to("the current runs, the best first", mlflow.runs_link(both[0].experiment_id)),
        "compare in MLflow": link_to("embedding and PCA side by side", mlflow.compare_link(both)),
        "table": dg.MetadataValue.md(tables.markdown(comparison)),
        "verdicts": _list_of(tables.verdict_sentences(comparison)),
        "what it means": _list_of(tables.sentences(comparison)),
        **{f"learned {name}": value for name, value in best.items()},
        "facts": facts({name: value for name, value in known.items() if value is not None}),
    }


def _list_of(sentences: Sequence[str]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md("\n".join(f"- {said}" for said in sentences))


def of_report(link: str) -> dict[str, Any]:
    """A link to the report."""
    return {"report": dg.MetadataValue.md(f"[read it]({link})")}


def schema_of(schema: type[dy.Schema]) -> dg.TableSchema:
    """The columns of a frame as they are declared."""
    columns = schema.columns().items()
    return dg.TableSchema(
        [dg.TableColumn(name, str(column.dtype), column.description or "") for name, column in columns]
    )


def rounded(value: float) -> float:
    """A number with four significant digits."""
    return float(f"{value:.4g}")


def written(value: Any) -> str:
    """A value for people: whole numbers in full, others with four significant digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1000 else f"{value:#.4g}".rstrip(".")


def facts(told: Mapping[str, Any]) -> dg.MarkdownMetadataValue:
    """A table of what is known, by name."""
    return table_of(["what", "is"], [(name, written(value)) for name, value in told.items()])


def link_to(text: str, address: str) -> dg.MetadataValue[Any]:
    """A link with a text, as long as the page shows one."""
    linked = f"[{text}]({address})"
    return dg.MetadataValue.md(linked) if len(linked) < AT_ONCE else dg.MetadataValue.url(address)


def table_of(head: list[str], rows: list[tuple[Any, ...]]) -> dg.MarkdownMetadataValue:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines))


def of_exports(fit: Fit, neighbours: NeighbourIndex) -> dict[str, Any]:
    """Which fit it is, and how many of the nearest neighbours its index finds."""
    recall = neighbours.recall
    found = {} if math.isnan(recall) else {"neighbours_recall_at_10": dg.MetadataValue.float(round(recall, 4))}
    return {"fit": fit.name, **found}
