"""What the pages of the fits, and of their latent spaces, say."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import numpy as np

from assets.metadata import AT_ONCE, SCHEMA, facts, rounded, schema_of, table_of, written
from assets.resources import MLflow
from pipeline.evaluation.bootstrap import LEVEL
from pipeline.evaluation.metrics import Metric
from pipeline.experiment.fits import REPLICA_SECONDS, STABILITY, Fit
from pipeline.schemas import EmbeddingRows
from pipeline.similarity.stability import by_chance
from pipeline.views.fit_page import PAGE
from pipeline.vocabulary.vocabulary import Vocabulary, rule_of_thumb


def of_fits(fits: Sequence[Fit], primary: Metric, mlflow: MLflow, vocabulary: Vocabulary) -> dict[str, Any]:
    """The primary metric of each fit, a link to each run, all other metrics; as a number only the best fit's metric."""
    fits = _by_number(fits)
    links = [f"- [{fit.name}]({mlflow.link(fit)}){', reused' if fit.reused else ''}" for fit in fits]
    known = {
        "fits": len(fits),
        "reused": sum(fit.reused for fit in fits),
        "fourth root of V": f"{rule_of_thumb(len(vocabulary)):.1f}",
    }
    return {
        **_of_primary(fits, primary),
        **_rows("runs", links, "\n"),
        "all metrics": _all_metrics(fits),
        "facts": facts(known),
        SCHEMA: schema_of(EmbeddingRows),
    }


def of_replicas(fits: Sequence[Fit], n_tokens: int, mlflow: MLflow) -> dict[str, Any]:
    """The stability of each fit of which there are replicas, and what they took; as a number only the highest."""
    with_replicas = [fit for fit in _by_number(fits) if STABILITY in fit.metrics]
    if not with_replicas:
        return {"replicas": "none: `replicas` in the conf file says how many there are"}
    cells = [
        (f"[{fit.name}]({mlflow.link(fit)})", f"{fit.metrics[STABILITY]:.0%}", f"{fit.metrics[REPLICA_SECONDS]:.1f}")
        for fit in with_replicas
    ]
    best = max(with_replicas, key=lambda fit: fit.metrics[STABILITY])
    share = best.metrics[STABILITY]
    return {
        "answer": f"In {best.name}, the most stable space, two halves of the examples agree on {share:.0%} of a token's"
        f" nearest, in the median.{by_chance(n_tokens)} Rely on the neighbours that all replicas support.",
        "best stability": rounded(share),
        "stability": table_of(["fit", "share of the nearest that two halves agree on, median", "replicas, s"], cells),
    }


def of_pages(fits: Sequence[Fit], made: Mapping[str, bool], mlflow: MLflow) -> dict[str, Any]:
    """A link to each page, in a row for each method."""
    links: dict[str, list[str]] = {}
    for fit in _by_number(fits):
        links.setdefault(fit.method, []).append(f"[{fit.name}]({mlflow.artifact_link(fit, PAGE)})")
    rows = {label: row for method, some in links.items() for label, row in _rows(method, some, " · ").items()}
    return {**rows, "facts": facts({"pages": len(made), "new": sum(made.values())})}


def _by_number(fits: Sequence[Fit]) -> list[Fit]:
    """The fits by method, in their order, and then by D."""
    methods = [*dict.fromkeys(fit.method for fit in fits)]
    return sorted(fits, key=lambda fit: (methods.index(fit.method), fit.dimension))


def _of_primary(fits: Sequence[Fit], primary: Metric) -> dict[str, Any]:
    """The primary metric of each fit, on test examples or else on validation examples; nothing without either."""
    for name in (f"test_{primary.name}", f"validation_{primary.name}"):
        values = {fit.name: fit.metrics[name] for fit in fits if name in fit.metrics}
        if values:
            best = (max if primary.higher_is_better else min)(values.values())
            cells = [(fit.name, _with_interval(fit.metrics, name)) for fit in fits if fit.name in values]
            head = ["fit", f"value, {LEVEL:.0%} interval"]
            return {f"best {primary.name}": rounded(best), name: table_of(head, cells)}
    return {}


def _with_interval(metrics: Mapping[str, float], name: str) -> str:
    low, high = (metrics.get(f"{name}_{end}") for end in ("low", "high"))
    interval = "" if low is None or high is None else f" [{written(low)}, {written(high)}]"
    return written(metrics[name]) + interval


def _all_metrics(fits: Sequence[Fit]) -> dg.MarkdownMetadataValue:
    """A row for each metric, a column for each fit."""
    names = dict.fromkeys(name for fit in fits for name, value in fit.metrics.items() if np.isfinite(value))
    rows = [(name, *(written(fit.metrics[name]) if name in fit.metrics else "" for fit in fits)) for name in names]
    return table_of(["metric", *(fit.name for fit in fits)], rows)


def _rows(label: str, parts: Sequence[str], between: str) -> dict[str, dg.MarkdownMetadataValue]:
    """Parts of Markdown in one row, or in as many as it takes to show each at once."""
    rows: list[list[str]] = [[]]
    for part in parts:
        if len(between.join([*rows[-1], part])) >= AT_ONCE and rows[-1]:
            rows.append([])
        rows[-1].append(part)
    labels = [label, *(f"{label}, {number}" for number in range(2, len(rows) + 1))]
    return {name: dg.MetadataValue.md(between.join(row)) for name, row in zip(labels, rows, strict=True)}
