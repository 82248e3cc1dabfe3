"""The report of a dataset: what it is, what was learned, the contest with its verdicts, the pictures, the settings.

One file that can be mailed. It says what the comparison says, and of axes no more than the tokens at their ends show.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import yaml

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.evaluation.bootstrap import LEVEL
from pipeline.evaluation.metrics import in_digits
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment import moved_tokens
from pipeline.experiment.comparison import Comparison
from pipeline.pictures.names import shortened
from pipeline.pictures.projection import View, ends
from pipeline.similarity.stability import by_chance
from pipeline.views import tables
from pipeline.views.answer import answer, too_few
from pipeline.views.caveats import caveats
from pipeline.views.marginal_effects import Telling
from pipeline.views.pages.template import filled
from pipeline.vocabulary.vocabulary import rule_of_thumb

TELLING = 10
"""So many tokens are shown with their nearest ones."""
_FREQUENT = 10
_NEIGHBOURS = 5
_KNOWN, _LEAST = 100, 5
"""The report looks at so many frequent tokens, and names so many of them whose nearest tokens hold least."""
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
    """It has the most frequent tokens first."""
    plane: View
    page: str
    """Its interactive page."""
    pictures: Mapping[str, Path]
    """PNG files, by what they show."""
    baseline: Embedding | None = None
    telling: Telling | None = None
    """The tokens that say most about what is predicted; None if tokens are predicted."""


def report_page(
    conf: Dataset,
    examples: SparseExamples,
    comparison: Comparison,
    sweep: tuple[Path, Path] | None,
    shown: Shown,
    links: Mapping[str, str],
    made: str,
) -> Report:
    """Put a report together.

    Args:
        conf: the dataset, its settings resolved.
        examples: what was learned from.
        comparison: of all fits.
        sweep: the picture of quality and cost against D, for a page and for a phone.
        shown: the fit that is shown in detail.
        links: addresses by name, to where the parts can be looked at.
        made: when, and from what.
    """
    return Report(
        filled(
            "report.html",
            title=f"{conf.name}: a learned embedding, and what it is worth",
            description=conf.description,
            answer=answer(comparison),
            sentences=tables.sentences(comparison),
            caveats=caveats(conf, comparison, len(examples.borrowed), conf.task.rests_on_few(examples)),
            facts=_facts(examples),
            frequent=_frequent(shown.embedding),
            shown=shown,
            is_larger=comparison.taken != comparison.about["best"],
            pictures={words: (path.stem, _base64(path)) for words, path in shown.pictures.items()},
            axes=_axes(shown),
            neighbours=_neighbours(shown),
            stability=_stability(shown),
            moved=moved_tokens.in_words(shown.embedding),
            part=comparison.about["part"],
            metrics=comparison.about["metrics"],
            contest=tables.ranked_cells(comparison),
            verdicts=tables.verdict_cells(comparison),
            level="" if too_few(comparison) else f"{LEVEL:.0%}",
            sweep=_base64(sweep[0]) if sweep else None,
            narrow_sweep=_base64(sweep[1]) if sweep else None,
            sweep_in_words=_sweep_in_words(comparison) if sweep else "",
            fingerprint=examples.fingerprint,
            settings=yaml.safe_dump(_settings(conf), sort_keys=False, allow_unicode=True, width=100),
            made=made,
            links=links,
        )
    )


def _facts(examples: SparseExamples) -> dict[str, str]:
    n, v = examples.shape
    lengths = np.diff(examples.indptr)
    return {
        "examples N": f"{n:,}",
        "vocabulary V": f"{v:,}",
        "stored entries": f"{len(examples.indices):,}",
        "density": f"{examples.density:.2%}",
        "tokens of an example, median": f"{np.median(lengths):,.0f}",
        "fourth root of V": f"{rule_of_thumb(v):.1f}",
        "held out in": f"{examples.n_folds} folds" if examples.n_folds > 1 else "one split",
        **({"split": split} if (split := examples.about.get("divided")) else {}),
    }


def _frequent(embedding: Embedding) -> list[list[str]]:
    top = embedding.vocabulary.tokens.head(_FREQUENT)
    return [["token", "count in training"], *([label, f"{count:,}"] for label, count in top["label", "count"].rows())]


def _axes(shown: Shown) -> list[tuple[str, str, str]]:
    """Each axis, and the frequent tokens at its low and at its high end."""
    both = ends(shown.plane, shown.embedding.vocabulary.labels)
    return [(axis, ", ".join(low), ", ".join(high)) for axis, (low, high) in zip(shown.plane.axes, both, strict=True)]


def _neighbours(shown: Shown) -> list[list[str]]:
    """The nearest tokens of those that say most, or of the most frequent ones."""
    vocabulary, telling = shown.embedding.vocabulary, shown.telling
    methods = {shown.name: shown.embedding} | ({"pca of the same D": shown.baseline} if shown.baseline else {})
    of = vocabulary.tokens.head(_FREQUENT) if telling is None else vocabulary.tokens[list(telling.tokens)]
    rows = []
    for i, (token, label) in enumerate(of.select("token", "label").rows()):
        near = [_names(embedding, token) for embedding in methods.values()]
        rows.append([label, *([telling.texts[i]] if telling else []), *near])
    return [["token", *([telling.effect] if telling else []), *methods], *rows]


def _names(embedding: Embedding, token: str) -> str:
    """The nearest tokens of a token; where there are replicas, each with the share of them that support it."""
    found = embedding.neighbours(token, _NEIGHBOURS)
    names = [shortened(label) for label in found["label"]]
    if embedding.stability is None:
        return "; ".join(names)
    of = embedding.stability.replicas
    return "; ".join(f"{name} {times}/{of}" for name, times in zip(names, found["support"], strict=True))


def _stability(shown: Shown) -> list[str]:
    """How far the nearest tokens hold, as sentences; none without replicas."""
    stability, vocabulary = shown.embedding.stability, shown.embedding.vocabulary
    if stability is None:
        return []
    half = (len(vocabulary) + 1) // 2  # the most frequent tokens come first
    often, seldom = stability.scores[:half].mean(), stability.scores[half:].mean()
    least = [i for i in np.argsort(stability.scores[:_KNOWN], kind="stable")[:_LEAST] if stability.scores[i] < 1]
    named = "; ".join(f"{vocabulary.labels[i]} {stability.scores[i]:.0%}" for i in least)
    rely = f"Of the {min(_KNOWN, len(vocabulary))} most frequent tokens, rely least on the nearest of: {named}."
    return [
        f"{shown.name} was learned again {stability.replicas} times, each time from half of the examples. Two halves "
        f"that share no example agree on {stability.scores.mean():.0%} of a token's ten nearest: on {often:.0%} where "
        f"the token is of the more frequent half, and on {seldom:.0%} otherwise.{by_chance(len(vocabulary))}",
        "Behind each neighbour stands in how many of these replicas it was found too. Rely on those that all of them "
        "support, and take the others for chance.",
        *([rely] if named else []),
    ]


def _sweep_in_words(comparison: Comparison) -> str:
    metric = comparison.metrics[0]
    values = comparison.frame.filter(pl.col("method").is_in([fit.method for fit in comparison.swept]))
    digits = tables.decimals_of(comparison, metric)
    words = ", ".join(f"{name} {in_digits(value, digits)}" for name, value in values.select("fit", metric).rows())
    return f"Quality ({metric}) and seconds of the fit against D: {words}."


def _base64(picture: Path) -> str:
    return base64.b64encode(picture.read_bytes()).decode()


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
