"""A comparison as people read it: the table, the verdicts, and what they mean in sentences."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import number_of
from pipeline.estimators import EMBEDDING, estimator_type
from pipeline.evaluation.bootstrap import LEVEL
from pipeline.evaluation.metrics import decimals, difference_in_words, in_digits
from pipeline.evaluation.ranking import FIRST
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import OF_REPLICAS, STABILITY
from pipeline.views.answer import answer, is_beyond_pca, listed, most_of_pca, too_few, unmeasured, without_signal
from pipeline.vocabulary.vocabulary import rule_of_thumb

TOLD = 2
"""This many metrics of a task, the first ones, get a verdict in what people read; the files have all verdicts."""

_FAR = 100
"""A value this many times as large as the middle one is of a fit that failed."""

NARROW, WIDE = 80, 110
"""Characters in a line of a terminal as it usually is, and in the longest line of text that people like to read."""


def cells(comparison: Comparison, n_metrics: int | None = None) -> list[list[str]]:
    """The table as people read it: a header, then one row for each fit; each metric with ± half its interval."""
    metrics = comparison.metrics[:n_metrics]
    columns = [[_written(comparison, name, row) for row in comparison.frame.iter_rows(named=True)] for name in metrics]
    seconds = [f"{value:,.1f}" for value in comparison.frame["fit_seconds"]]
    head = [comparison.frame["dataset"][0], *metrics, "fit, s"]
    return [head, *map(list, zip(comparison.frame["fit"], *columns, seconds, strict=True))]


@dataclass(frozen=True)
class Ranked:
    """A table, the best fit first."""

    cells: list[list[str]]
    best: frozenset[tuple[int, int]]
    """Row and column of the best value of each metric, which several fits may have; counted without the header."""


def ranked_cells(comparison: Comparison) -> Ranked:
    """The table with the best fit first, by the primary metric."""
    head, *rows = [[*row, *more] for row, more in zip(cells(comparison), _replicas(comparison), strict=True)]
    if not comparison.metrics:
        return Ranked([head, *rows], frozenset())
    signs = [-1 if direction(comparison, name) == "higher" else 1 for name in comparison.metrics]
    losses = [
        comparison.frame[name].fill_nan(None) * sign for name, sign in zip(comparison.metrics, signs, strict=True)
    ]
    order = losses[0].arg_sort(nulls_last=True).to_list()
    least = [(of_fits == of_fits.min()).gather(order).arg_true() for of_fits in losses]
    best = frozenset((row, column) for column, rows_of in enumerate(least, start=1) for row in rows_of.to_list())
    return Ranked([head, *(rows[i] for i in order)], best)


def _replicas(comparison: Comparison) -> list[list[str]]:
    """Columns for the replicas: the stability of each fit and what they took; none where there are no replicas."""
    found = comparison.frame.select(OF_REPLICAS)
    if found[STABILITY].null_count() == found.height:
        return [[] for _ in range(found.height + 1)]
    rows = [[f"{share:.0%}", f"{took:,.1f}"] if share is not None else ["", ""] for share, took in found.rows()]
    return [["stability", "replicas, s"], *rows]


def _written(comparison: Comparison, name: str, row: Mapping[str, Any]) -> str:
    value, half = row[name], (row[f"{name}_high"] - row[f"{name}_low"]) / 2
    digits = decimals_of(comparison, name) if abs(value) < 1000 else 0
    return in_digits(value, digits) + (f" ±{in_digits(half, digits)}".replace("±0.", "±.") if np.isfinite(half) else "")


def decimals_of(comparison: Comparison, metric: str) -> int:
    """How many decimals the table shows of a metric: those of its largest value, but not of a fit that failed."""
    values = np.sort(comparison.frame[metric].abs().to_numpy())
    usual = values[(len(values) - 1) // 2]
    return decimals(float(values[values <= _FAR * usual].max(initial=0.0)))


def verdict_cells(comparison: Comparison, n_metrics: int = TOLD) -> list[list[str]]:
    """The verdicts as people read them: a header, then one row for each pair of fits."""
    metrics = comparison.metrics[:n_metrics]
    rows = [["fit", "against", *metrics]]
    for fit, against in comparison.told_pairs() if metrics else []:
        rows.append([fit, against, *(verdict_in_words(comparison, fit, against, name) for name in metrics)])
    return rows


def verdict_in_words(comparison: Comparison, fit: str, against: str, metric: str) -> str:
    """The verdict on two fits by a metric, with their difference and its interval."""
    found = comparison.verdict(fit, against, metric)
    told = difference_in_words(found["difference"], found["low"], found["high"], decimals_of(comparison, metric))
    return f"{found['verdict']} {told}"


def verdict_sentences(comparison: Comparison) -> list[str]:
    """The verdicts by the primary metric, one for each pair of fits, where a table is too wide."""
    _, *rows = verdict_cells(comparison, 1)
    return [f"{fit} against {against}: {', '.join(told)}" for fit, against, *told in rows]


def sentences(comparison: Comparison) -> list[str]:
    """What the table means, as a list of sentences."""
    size = comparison.about["vocabulary_size"]
    thumb = f"The fourth root of V = {size:,}, a rule of thumb, is {rule_of_thumb(size):.1f}."
    if not comparison.metrics:
        why = unmeasured(comparison)
        split = comparison.about.get("split")
        return [f"{why[0].upper()}{why[1:]}, so nothing was measured. {thumb}", *([split] if split else [])]
    n, part, primary = comparison.about["n_examples"], comparison.about["part"], comparison.metrics[0]
    methods = [estimator_type(name) for name in comparison.frame["method"].unique(maintain_order=True)]
    return [
        f"{primary}: {comparison.about['metrics'][primary]}; {direction(comparison, primary)} is better.",
        *_saturated(comparison),
        f"Measured on the {number_of(n, f'{part} example')}{_in_groups(comparison)}.{_covered(comparison)}",
        *([split] if (split := comparison.about.get("split")) else []),
        f"{_chosen(comparison)}{thumb}",
        *_reached(comparison),
        *_weighted(comparison),
        *(method.in_words for method in methods if method.in_words),
    ]


def _saturated(comparison: Comparison) -> list[str]:
    """A sentence if every fit finds all tokens: those of a small vocabulary are all among the first of any ranking."""
    size = comparison.about["vocabulary_size"]
    full = [name for name in comparison.metrics if (comparison.frame[name] == 1).all()]
    if not full or not comparison.about.get("predicts_tokens") or size > FIRST:
        return []
    is_1 = "is 1 for every fit: it tells" if len(full) == 1 else "are 1 for every fit: they tell"
    return [f"{listed(full)} {is_1} nothing where so few tokens, V = {size:,}, are ranked."]


def _in_groups(comparison: Comparison) -> str:
    """In how many groups the examples are, if they are in groups."""
    n = comparison.about.get("n_groups")
    return "" if n is None else f", in {n:,} groups" if n != 1 else ", in 1 group"


def _covered(comparison: Comparison) -> str:
    """What the intervals are over: the examples or their groups, and the seeds; empty where there are no intervals."""
    if too_few(comparison):
        return ""
    what = "examples" if comparison.about.get("n_groups") is None else "groups"
    seeds = comparison.about.get("seeds", 1)
    chance = f" and seeds ({seeds} for each fit that has chance in it)," if seeds > 1 else ", not over seeds,"
    return f" ± and brackets are {LEVEL:.0%} intervals over {what} (a bootstrap){chance} paired for differences."


def direction(comparison: Comparison, metric: str) -> str:
    """Which values of a metric are better: higher or lower."""
    return "lower" if metric in comparison.about["lower_is_better"] else "higher"


def _chosen(comparison: Comparison) -> str:
    """What validation says about D, with a space behind; empty if there is no validation."""
    best, smallest = comparison.about["best"], comparison.about["smallest"]
    if smallest is None:
        return ""
    tried = comparison.frame.filter(method=EMBEDDING)["dimension"]
    if len(tried) == 1:
        return ""
    if best == min(tried):
        return f"Validation finds D={best} best, the smallest that was tried. "
    rest = "no smaller one is" if smallest == best else f"D={smallest} is the smallest that is"
    return f"Validation finds D={best} best, and {rest} within one standard error of it. "


def _reached(comparison: Comparison) -> list[str]:
    """How many dimensions of PCA each learned D is worth; nothing where no difference can be told."""
    if too_few(comparison) or without_signal(comparison):
        return []
    worth, metric = comparison.about["worth"], comparison.metrics[0]
    said = [
        f"PCA needs D={pca} for the {metric} of embedding D={learned}."
        if pca > learned
        else f"PCA of D={pca} is no worse than embedding D={learned} in {metric}."
        for learned, pca in worth.items()
        if pca
    ]
    beyond = listed(
        [f"D={learned}" for learned, pca in worth.items() if not pca and is_beyond_pca(comparison, learned)]
    )
    most = most_of_pca(comparison)
    return said + ([f"PCA does not reach the {metric} of embedding {beyond} up to D={most}."] if beyond else [])


def _weighted(comparison: Comparison) -> list[str]:
    """A sentence if tokens count by a column: which methods learn from it, and which cannot."""
    weight = comparison.about.get("weight")
    if weight is None:
        return []
    others = [name for name in comparison.frame["method"].unique().sort() if not estimator_type(name).uses_tokens]
    do = "does" if len(others) == 1 else "do"
    but = f", except {listed(others)}, which {do} not look at tokens" if others else ""
    if comparison.about.get("predicts_tokens"):
        return [
            f"A token counts by the logarithm of {weight}, in every method{but}. Held-out tokens all count the same."
        ]
    return [f"A token counts as much as {weight} says, in every method{but}."]


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
    """The lines of a table with as many of its `most` metrics as fit into the width, but at least one."""
    tried = (lines_of(n) for n in range(most, 0, -1))
    return next((lines for lines in tried if max(map(len, lines)) <= width), lines_of(min(most, 1)))


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
