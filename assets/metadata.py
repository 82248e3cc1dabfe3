"""What an asset's page says about its latest value: counts, shares, losses, metrics, and links that work."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import numpy as np

from assets.resources import MLflow
from pipeline.comparison import Comparison
from pipeline.encoding import SparseExamples
from pipeline.fitting import Fit
from pipeline.schemas import PARTS
from pipeline.vocabulary import Vocabulary, rule_of_thumb


def of_vocabulary(vocabulary: Vocabulary) -> dict[str, Any]:
    """Size, rule of thumb, fingerprint, and the most frequent tokens."""
    top = vocabulary.tokens.head(10)
    return {
        "size V": len(vocabulary),
        "fourth root of V": round(rule_of_thumb(len(vocabulary)), 1),
        "fingerprint": vocabulary.fingerprint,
        "occurrences": int(vocabulary.tokens["count"].sum()),
        "rarest count": int(vocabulary.tokens["count"].min()),  # type: ignore[arg-type]
        "most frequent": _table(["token", "label", "count"], top.rows()),
    }


def of_examples(examples: SparseExamples, vocabulary: Vocabulary) -> dict[str, Any]:
    """Shape, density, lengths, splits, what was left out, and one example both ways."""
    lengths = np.diff(examples.indptr)
    first = int(np.argmax(lengths > 0))
    integers = examples.indices[examples.indptr[first] : examples.indptr[first + 1]]
    split, fold = examples.frame["split"].drop_nulls(), examples.frame["fold"].drop_nulls()
    sizes = {f"{part} examples": int((split == part).sum()) for part in PARTS} if len(split) else {}
    if len(fold):
        sizes = {"folds": examples.turns, "smallest fold": int(fold.value_counts()["count"].min())}  # type: ignore[arg-type]
    return {
        "examples N": len(examples),
        "vocabulary V": examples.shape[1],
        "stored entries": len(examples.indices),
        "density": round(examples.density, 6),
        "tokens of an example, median": float(np.median(lengths)),
        "empty examples": int((lengths == 0).sum()),
        **sizes,
        **{name.replace("_", " ") + " left out": count for name, count in examples.about["left_out"].items()},
        "fingerprint": examples.fingerprint,
        "an example": f"{examples.frame['example'][first]}: {integers[:8].tolist()} ... = "
        + ", ".join(vocabulary.labels[i] for i in integers[:4])
        + ", ...",
    }


def of_fits(fits: Sequence[Fit], mlflow: MLflow, vocabulary: Vocabulary) -> dict[str, Any]:
    """Each fit's metrics as numbers, which Dagster plots over time, and a link to each run."""
    numbers = {
        f"{fit.name} {name}": float(value) for fit in fits for name, value in fit.metrics.items() if np.isfinite(value)
    }
    return {
        "runs": _table(
            ["fit", "run in MLflow", "reused"],
            [(fit.name, f"[{fit.run_id[:8]}]({mlflow.link(fit)})", "yes" if fit.reused else "no") for fit in fits],
        ),
        "fits": len(fits),
        "reused": sum(fit.reused for fit in fits),
        "fourth root of V": round(rule_of_thumb(len(vocabulary)), 1),
        **numbers,
    }


def of_comparison(comparison: Comparison, fits: Sequence[Fit], mlflow: MLflow) -> dict[str, Any]:
    """The table, the verdicts, what they mean, and a link to the runs side by side."""
    about = comparison.about
    chosen = {"best D on validation": about["best"], "smallest D not worse": about["smallest"]}
    return {
        "table": dg.MetadataValue.md(comparison.markdown()),
        "verdicts": dg.MetadataValue.md(comparison.verdicts_markdown()),
        "what it means": dg.MetadataValue.md("\n".join(f"- {said}" for said in comparison.sentences())),
        "measured on": about["part"],
        "examples": about["n_examples"],
        "compare in MLflow": dg.MetadataValue.url(mlflow.compare_link(fits)),
        "fourth root of V": round(rule_of_thumb(about["vocabulary_size"]), 1),
        **{name: d for name, d in chosen.items() if d is not None},
    }


def _table(head: list[str], rows: list[tuple[Any, ...]]) -> dg.MarkdownMetadataValue:
    lines = [head, ["---"] * len(head), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines))
