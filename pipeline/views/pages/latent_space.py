"""A page on which to look around in a latent space.

Plotly draws; its JavaScript is in the file, compressed. The look and the interaction are in `latent_space.html`.
"""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.embedding import Embedding
from pipeline.pictures.projection import SHOWN, View, ends
from pipeline.views.pages.template import filled

_MOST_COLOURS = 12
"""Categories with a colour of their own; the rarer ones share one."""


@dataclass(frozen=True)
class Colour:
    """What the points of a page are coloured by: a category, or a signed number with 0 in the middle."""

    name: str
    values: Sequence[str] | npt.NDArray[np.float64]  # one for each token that is shown


def latent_space_page(
    embedding: Embedding,
    title: str,
    panels: Sequence[Sequence[View]],
    about: pl.DataFrame | None = None,
    colour: Colour | None = None,
    n: int = SHOWN,
) -> str:
    """A page on which to look around in a latent space: turn it, search it, and pick a token.

    A token that is picked shows its D weights twice, as the edges from its input node to the hidden nodes and as the
    numbers that are its coordinates, and its nearest tokens by cosine and by dot product.

    Args:
        embedding: whose vectors are in the page.
        title: what the page is of.
        panels: the views to choose from, each of one picture, or of several side by side.
        about: a row a token of the vocabulary, in its order: columns that are shown with it.
        colour: what the points are coloured by.
        n: so many tokens are shown, the most frequent ones.

    Returns:
        HTML.
    """
    tokens = embedding.vocabulary.tokens.head(n)
    labels = tokens["label"].to_list()
    data = {
        "labels": labels,
        "counts": tokens["count"].to_list(),
        "about": {} if about is None else {name: about[name].head(n).fill_null("").to_list() for name in about.columns},
        "colour": None if colour is None else _colour(colour),
        "dimension": embedding.dimension,
        "vectors": _floats(embedding.matrix[:n]),
        "views": [[_view(view, labels) for view in panel] for panel in panels],
    }
    shown = (
        f"the {len(labels):,} most frequent of {len(embedding.vocabulary):,}"
        if len(labels) < len(embedding.vocabulary)
        else f"all {len(labels):,}"
    )
    return filled(
        "latent_space.html",
        title=title,
        subtitle=f"{shown} tokens, D = {embedding.dimension}; larger = more frequent",
        data=_script(data),
        plotly=_plotly(),
    )


def categories(values: Sequence[str | None], separator: str = "|") -> list[str]:
    """The first of several values between `|`, or another separator, and the rare ones together as `other`.

    >>> categories(["Drama|War", None, "Drama"])
    ['Drama', 'other', 'Drama']
    """
    first = [(value or "").split(separator)[0] or "other" for value in values]
    counts = pl.Series(first, dtype=pl.String).value_counts(sort=True)
    kept = set(counts.head(_MOST_COLOURS)[counts.columns[0]])
    return [value if value in kept else "other" for value in first]


def _colour(colour: Colour) -> dict[str, Any]:
    if isinstance(colour.values, np.ndarray):
        return {"name": colour.name, "numbers": _floats(colour.values)}
    names = sorted(set(colour.values), key=lambda name: (name == "other", name))
    place = {name: i for i, name in enumerate(names)}
    return {"name": colour.name, "names": names, "indices": [place[value] for value in colour.values]}


def _view(view: View, labels: Sequence[str]) -> dict[str, Any]:
    hints = [f"{', '.join(low)}  ↔  {', '.join(high)}" for low, high in ends(view, labels)] if view.has_axes else []
    return {
        "name": view.name,
        "axes": view.axes,
        "hints": hints,
        "width": view.points.shape[1],
        "points": _floats(view.points),
    }


def _floats(array: npt.NDArray[Any]) -> str:
    """Numbers of 4 bytes, as base64."""
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def _script(data: Mapping[str, Any]) -> str:
    """JSON that can stand in a script element, whatever a label says."""
    return json.dumps(data, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")


@cache
def _plotly() -> str:
    """Plotly's JavaScript, compressed, as base64."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()
