"""The report of a dataset: what it is, what was learned, the contest with its verdicts, the pictures, the settings.

One file that can be mailed. It says what the comparison says, and of axes no more than the tokens at their ends show.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import yaml

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.comparison import Comparison
from pipeline.pictures.projection import View, ends
from pipeline.views import tables
from pipeline.views.pages.template import filled, table
from pipeline.vocabulary.vocabulary import rule_of_thumb

_FREQUENT = 10
_NEIGHBOURS = 5
FILE = "report.html"


@dataclass(frozen=True)
class Report:
    """A page, as HTML."""

    html: str

    def save(self, folder: Path) -> None:
        """Write `report.html`."""
        (folder / FILE).write_text(self.html, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls((folder / FILE).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Shown:
    """The learned fit that a report shows, and PCA of the same D where there is one."""

    name: str
    embedding: Embedding
    plane: View
    page: str
    """Its interactive page."""
    pictures: Mapping[str, Path]
    """PNG files, by what they show."""
    baseline: Embedding | None = None


def report_page(
    conf: Dataset,
    examples: SparseExamples,
    comparison: Comparison,
    sweep: Path | None,
    shown: Shown,
    links: Mapping[str, str],
    made: str,
) -> Report:
    """Put a report together.

    Args:
        conf: the dataset, its settings resolved.
        examples: what was learned from.
        comparison: of all fits.
        sweep: the picture of quality and cost against D.
        shown: the fit that is shown in detail.
        links: addresses by name, to where the parts can be looked at.
        made: when, and from what.
    """
    said = "".join(
        f"<li>{escape(sentence)}</li>" for sentence in [*_headline(comparison), *tables.sentences(comparison)]
    )
    further = " · ".join(f'<a href="{escape(address)}">{escape(name)}</a>' for name, address in links.items())
    return Report(
        filled(
            "report.html",
            title=escape(f"{conf.name}: a learned embedding, and what it is worth"),
            description=escape(conf.description),
            said=said,
            facts=_facts(examples),
            frequent=_frequent(shown.embedding),
            space=_space(shown),
            contest=table(tables.cells(comparison), f"Measured on the {comparison.about['part']} examples"),
            verdicts=table(
                tables.verdict_cells(comparison), "Paired differences on the same examples, with 95 % intervals"
            ),
            sweep=_figure(sweep, _sweep_in_words(comparison)) if sweep else "<p>Nothing was held out.</p>",
            settings=escape(yaml.safe_dump(_settings(conf), sort_keys=False, allow_unicode=True, width=100)),
            made=f"{escape(made)} {further}",
        )
    )


def _headline(comparison: Comparison) -> list[str]:
    """The learned embedding against PCA, in one sentence."""
    if not comparison.metrics:
        return []
    metric = comparison.metrics[0]
    same = [pair for pair in comparison.told_pairs() if pair[1].startswith("pca D=")]
    verdicts = [comparison.verdict(fit, against, metric)["verdict"] for fit, against in same]
    if not verdicts:
        return []
    count = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    told = ", ".join(f"{verdict} at {n} of {len(verdicts)}" for verdict, n in count.items())
    return [f"the learned embedding against PCA of the same D, by {metric}: {told}"]


def _facts(examples: SparseExamples) -> str:
    n, v = examples.shape
    lengths = np.diff(examples.indptr)
    facts = {
        "examples N": f"{n:,}",
        "vocabulary V": f"{v:,}",
        "stored entries": f"{len(examples.indices):,}",
        "density": f"{examples.density:.2%}",
        "tokens of an example, median": f"{np.median(lengths):,.0f}",
        "fourth root of V": f"{rule_of_thumb(v):.1f}",
        "held out in": f"{examples.turns} turns" if examples.turns > 1 else "one split",
        "fingerprint": examples.fingerprint,
    }
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())


def _frequent(embedding: Embedding) -> str:
    top = embedding.vocabulary.tokens.head(_FREQUENT)
    rows = [[label, f"{count:,}"] for label, count in top.select("label", "count").rows()]
    return table([["token", "count in training"], *rows], "The most frequent tokens")


def _space(shown: Shown) -> str:
    parts = [f"<p>Here is {escape(shown.name)}: each token at the place that its weights give it.</p>"]
    parts += [_figure(path, words) for words, path in shown.pictures.items()]
    told = [
        f"<li>{escape(axis)}: from {escape(', '.join(low))} to {escape(', '.join(high))}</li>"
        for axis, (low, high) in zip(
            shown.plane.axes, ends(shown.plane, shown.embedding.vocabulary.labels), strict=True
        )
    ]
    parts.append(
        "<h3>What the axes seem to be about</h3><p>The frequent tokens at their two ends, the outermost first. What "
        f"they have in common is for the reader to judge.</p><ul>{''.join(told)}</ul>"
    )
    parts.append(_neighbours(shown))
    parts.append(
        "<h3>Look around</h3><p>Search a token, pick it, change the view.</p>"
        f'<iframe title="The space of {escape(shown.name)}" loading="lazy" srcdoc="{escape(shown.page)}"></iframe>'
    )
    return "".join(parts)


def _neighbours(shown: Shown) -> str:
    methods = {shown.name: shown.embedding} | ({"pca of the same D": shown.baseline} if shown.baseline else {})
    rows = []
    for token, label in shown.embedding.vocabulary.tokens.head(_FREQUENT).select("token", "label").rows():
        near = [_names(embedding.neighbours(token, _NEIGHBOURS)) for embedding in methods.values()]
        rows.append([label, *near])
    return f"<h3>Nearest tokens</h3>{table([['token', *methods], *rows], 'By angle, nearest first', texts=True)}"


def _names(found: pl.DataFrame) -> str:
    return "; ".join(label if len(label) <= 30 else label[:29] + "…" for label in found["label"])


def _sweep_in_words(comparison: Comparison) -> str:
    metric = comparison.metrics[0]
    values = comparison.frame.filter(pl.col("method").is_in([fit.method for fit in comparison.swept]))
    words = ", ".join(f"{name} {value:.4f}" for name, value in values.select("fit", metric).rows())
    return f"Quality ({metric}) and seconds of the fit against D: {words}."


def _figure(path: Path, words: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    text = escape(words)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def _settings(conf: Dataset) -> Mapping[str, object]:
    return _without_nothing(conf.model_dump(mode="json", exclude={"name", "description"}))


def _without_nothing(settings: Mapping[str, object]) -> dict[str, object]:
    kept: dict[str, object] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            value = _without_nothing(value)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            value = [_without_nothing(item) if isinstance(item, dict) else item for item in value]
        if value is not None:
            kept[name] = value
    return kept
