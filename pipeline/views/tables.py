"""A comparison as people read it: the table, the verdicts, and what they mean in sentences."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.estimators import PCA, estimator_type
from pipeline.evaluation.bootstrap import LEVEL
from pipeline.experiment.comparison import Comparison
from pipeline.views.answer import answer
from pipeline.vocabulary.vocabulary import rule_of_thumb

TOLD = 2
"""This many metrics of a task, the first ones, get a verdict in what people read; the files have all verdicts."""

NARROW, WIDE = 80, 110
"""Characters in a line of a terminal as it usually is, and in the longest line of text that people like to read."""


def cells(comparison: Comparison, n_metrics: int | None = None) -> list[list[str]]:
    """The table as people read it: a header, then one row for each fit; each metric with ± half its interval."""
    metrics = comparison.metrics[:n_metrics]
    columns = [[_written(comparison, name, row) for row in comparison.frame.iter_rows(named=True)] for name in metrics]
    seconds = [f"{value:,.1f}" for value in comparison.frame["fit_seconds"]]
    head = [comparison.frame["dataset"][0], *metrics, "fit, s"]
    return [head, *map(list, zip(comparison.frame["fit"], *columns, seconds, strict=True))]


def _written(comparison: Comparison, name: str, row: Mapping[str, Any]) -> str:
    value, half = row[name], (row[f"{name}_high"] - row[f"{name}_low"]) / 2
    digits = 0 if abs(value) >= 1000 else 4
    return f"{value:,.{digits}f}" + (f" ±{half:,.{digits}f}".replace("±0.", "±.") if np.isfinite(half) else "")


def verdict_cells(comparison: Comparison, n_metrics: int = TOLD) -> list[list[str]]:
    """The verdicts as people read them: a header, then one row for each pair of fits."""
    metrics = comparison.metrics[:n_metrics]
    rows = [["fit", "against", *metrics]]
    for fit, against in comparison.told_pairs() if metrics else []:
        found = [comparison.verdict(fit, against, name) for name in metrics]
        rows.append([fit, against, *map(_told, found)])
    return rows


def verdict_sentences(comparison: Comparison) -> list[str]:
    """The verdicts by the primary metric, one for each pair of fits, where a table is too wide."""
    _, *rows = verdict_cells(comparison, 1)
    return [f"{fit} against {against}: {', '.join(told)}" for fit, against, *told in rows]


def sentences(comparison: Comparison) -> list[str]:
    """What the table means, as a list of sentences."""
    size = comparison.about["vocabulary_size"]
    thumb = f"fourth root of V = {size:,}: D = {rule_of_thumb(size):.1f}"
    if not comparison.metrics:
        return [f"no example is held out, so nothing was measured; {thumb}"]
    n = comparison.about["n_examples"]
    said = [
        f"measured on the {n:,} {comparison.about['part']} examples; ± and brackets: {LEVEL:.0%} intervals of a "
        "bootstrap over them, paired for differences"
    ]
    best, smallest = comparison.about["best"], comparison.about["smallest"]
    if smallest is not None:
        said.append(
            f"which D: validation finds D={best} best, and D={smallest} is the smallest that is not worse by more "
            f"than one standard error; {thumb}"
        )
    else:
        said.append(thumb)
    most = max(comparison.frame.filter(method=PCA)["dimension"], default=0)
    for learned, pca in comparison.about["worth"].items():
        reached = f"pca needs D={pca}" if pca else f"pca does not reach it up to D={most}"
        said.append(f"what {comparison.metrics[0]} embedding D={learned} has: {reached}")
    methods = [estimator_type(name) for name in comparison.frame["method"].unique(maintain_order=True)]
    return said + _weighted(comparison) + [method.in_words for method in methods if method.in_words]


def _weighted(comparison: Comparison) -> list[str]:
    """A sentence if tokens count by a column: which methods learn from it, and which cannot."""
    weight = comparison.about.get("weight")
    if weight is None:
        return []
    others = [name for name in comparison.frame["method"].unique().sort() if not estimator_type(name).uses_tokens]
    but = f", except {' and '.join(others)}, which do not look at tokens" if others else ""
    return [f"a token counts as much as {weight} says, in every method{but}; held-out tokens all count the same"]


def markdown(comparison: Comparison) -> str:
    """The table for an asset's page: the primary metric of each fit."""
    head, *rows = (row[:-1] for row in cells(comparison, 1))
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"|{'|'.join(line)}|" for line in (head, rule, *rows))


def text(comparison: Comparison, width: int = NARROW) -> str:
    """Everything for a terminal: the answer, the table, the verdicts, and what they mean.

    Args:
        comparison: of all fits.
        width: of the terminal, in characters; the tables show as many metrics as fit, the primary one at least.
    """
    most = min(width, WIDE)
    told = f"{comparison.frame['dataset'][0]}: {answer(comparison)}"
    verdicts = _fitting(lambda n: _aligned(verdict_cells(comparison, n), left=2 + n), TOLD, width)
    parts = [
        textwrap.fill(told, most, break_on_hyphens=False),
        "\n".join(_fitting(lambda n: _aligned(cells(comparison, n), left=1), len(comparison.metrics), width)),
        "\n".join(verdicts) if len(verdicts) > 2 else "",
        "\n".join(textwrap.fill(said, most, subsequent_indent="  ") for said in sentences(comparison)),
    ]
    return "\n\n".join(part for part in parts if part)


def _fitting(lines_of: Callable[[int], list[str]], most: int, width: int) -> list[str]:
    """The lines of a table with as many metrics as fit into a width, at least one, at most so many."""
    tried = (lines_of(n) for n in range(most, 0, -1))
    return next((lines for lines in tried if max(map(len, lines)) <= width), lines_of(min(most, 1)))


def _told(found: Mapping[str, Any]) -> str:
    digits = 0 if abs(found["difference"]) >= 1000 else 4
    numbers = [f"{found[name]:+,.{digits}f}" for name in ("difference", "low", "high")]
    return f"{found['verdict']} {numbers[0]} [{numbers[1]}, {numbers[2]}]"


def _aligned(cells: Sequence[Sequence[str]], left: int) -> list[str]:
    """Lines of equal width: the first `left` columns flush left, the others flush right, a rule below the header."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]
