"""A page on which to look around in a latent space.

deck.gl draws; its JavaScript is in the file, compressed. The look is in `latent_space.html`, what people do there in
the files of `latent_space_js`.
"""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.arrays import Array
from pipeline.embedding import Embedding
from pipeline.pictures import palette
from pipeline.pictures.colours import Colour, Groups, Numbers, ordered
from pipeline.pictures.projection import SHOWN, View, ends
from pipeline.similarity.nearest import LOW, RARE, evidence
from pipeline.similarity.stability import Stability
from pipeline.views.pages.place_names import place_names, terms_of
from pipeline.views.pages.template import filled

MOST_NUMBERS = 1_000_000
"""Coordinates in a page: with many dimensions it has fewer tokens, so that it opens at once."""
_CELLS = 128
"""The tokens that are not points are a density of so many cells in each direction."""
_PALETTE = {
    "plain": {"light": palette.BLUE, "dark": palette.BLUE_ON_DARK},
    "categories": {"light": palette.CATEGORIES, "dark": palette.CATEGORIES_ON_DARK},
    "other": palette.OTHER_COLOUR,
    "signed": palette.SIGNED,
    "sequential": {"light": palette.SEQUENTIAL, "dark": palette.SEQUENTIAL[1:]},
}


def n_shown(embedding: Embedding) -> int:
    """How many tokens a page has, the most frequent ones."""
    return min(len(embedding.vocabulary), SHOWN, max(1, MOST_NUMBERS // embedding.dimension))


def latent_space_page(
    embedding: Embedding,
    title: str,
    panels: Sequence[Sequence[View]],
    about: pl.DataFrame | None = None,
    by: Sequence[Colour] = (),
    seed: int = 0,
) -> str:
    """A page on which to look around in a latent space: turn it, search it, pick a token, select a region.

    A token that is picked shows its D weights twice, as the edges from its input node to the hidden nodes and as the
    numbers that are its coordinates, and its nearest tokens by cosine and by dot product.

    Args:
        embedding: with the most frequent tokens first: they are in the page, the others of a plane as a density.
        title: what the page is of.
        panels: the views to choose from, each of one picture, or of several side by side.
        about: a row a token of the vocabulary, in its order: columns that are shown with it.
        by: what the first `n_shown` tokens can be coloured by; at first by the first.
        seed: of the names of neighbourhoods.

    Returns:
        HTML.
    """
    n = n_shown(embedding)
    tokens = embedding.vocabulary.tokens.head(n)
    about = pl.DataFrame() if about is None else about.head(n)
    labels = tokens["label"].to_list()
    terms = terms_of(about, labels)
    data = {
        "labels": labels,
        "counts": tokens["count"].to_list(),
        "about": {name: about[name].cast(pl.String).fill_null("").to_list() for name in about.columns},
        "colours": [_colour(one) for one in by],
        "palette": _PALETTE,
        "order": _order(by, tokens["count"].to_numpy()).tolist(),
        "dimension": embedding.dimension,
        "vectors": _floats(embedding.matrix[:n]),
        "rare": RARE,
        "low": LOW,
        "replicas": _replicas(embedding.stability, n),
        "views": [[_view(view, labels, terms, n, seed) for view in panel] for panel in panels],
    }
    rest = len(embedding.vocabulary) - n
    return filled(
        "latent_space.html",
        title=title,
        shown=f"the {n:,} most frequent of {n + rest:,} tokens" if rest else f"all {n:,} tokens",
        dimension=embedding.dimension,
        has_density=any(view.others is not None and len(view.others) for panel in panels for view in panel),
        data=_script(data),
        deck=_deck(),
    )


def _replicas(stability: Stability | None, n: int) -> dict[str, Any] | None:
    """How many replicas there are, the stability of n tokens, their nearest, and in how many replicas these are."""
    if stability is None:
        return None
    return {
        "count": stability.replicas,
        "stability": _floats(stability.scores[:n]),
        "width": stability.nearest.shape[1],
        "nearest": _bytes(stability.nearest[:n].astype("<i4")),
        "support": _bytes(stability.support[:n]),
    }


def _order(by: Sequence[Colour], counts: Array) -> npt.NDArray[np.int64]:
    """The tokens in the order in which they are worth a label: those that do most first, or the most frequent.

    What a rare token does counts for less, because few examples tell of it.
    """
    signed = [one for one in by if isinstance(one, Numbers) and one.scale == "diverging"]
    if not signed:
        return np.arange(len(counts))
    return np.argsort(-np.abs(signed[0].values) * np.square(evidence(counts)), kind="stable")


def _colour(colour: Colour) -> dict[str, Any]:
    if isinstance(colour, Groups):
        names = ordered(colour)
        place = {name: i for i, name in enumerate(names)}
        return {"name": colour.name, "groups": names, "indices": [place[value] for value in colour.values]}
    low, high = colour.reach
    return {
        "name": colour.name,
        "scale": colour.scale,
        "values": _floats(colour.values),
        "low": low,
        "high": high,
        "ends": colour.ends,
        "texts": list(colour.texts),
    }


def _view(view: View, labels: Sequence[str], terms: Sequence[Sequence[str]], n: int, seed: int) -> dict[str, Any]:
    points = view.points[:n]
    hints = [f"{', '.join(low)}  ↔  {', '.join(high)}" for low, high in ends(view, labels)] if view.has_axes else []
    flat = points.shape[1] == 2
    return {
        "name": view.name,
        "axes": view.axes,
        "hints": hints,
        "width": points.shape[1],
        "points": _floats(points),
        "places": place_names(points, terms, seed) if flat else [],
        "density": _density(view) if flat else None,
        "replicas": None if view.replicas is None else _floats(view.replicas[:, :n]),
    }


def _density(view: View) -> dict[str, Any] | None:
    """How many of the tokens that are no points lie in each cell of the plane, as bytes from 0 to 255 by their root."""
    if view.others is None or not len(view.others):
        return None
    every = np.concatenate([view.points, view.others])
    low, high = np.quantile(every, 0.001, axis=0), np.quantile(every, 0.999, axis=0)
    counts, *_ = np.histogram2d(view.others[:, 0], view.others[:, 1], bins=_CELLS, range=np.transpose([low, high]))
    grey = np.sqrt(counts / max(counts.max(), 1)) * 255
    cells = base64.b64encode(grey.T.astype(np.uint8).tobytes()).decode()  # rows from low to high y
    return {"cells": cells, "size": _CELLS, "low": low.tolist(), "high": high.tolist()}


def _floats(array: Array) -> str:
    """Numbers of 4 bytes, as base64."""
    return _bytes(np.ascontiguousarray(array, "<f4"))


def _bytes(array: Array) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _script(data: Mapping[str, Any]) -> str:
    """JSON that can stand in a script element, whatever a label says."""
    return json.dumps(data, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")


@cache
def _deck() -> str:
    """deck.gl's JavaScript, compressed, as base64."""
    code = (Path(__file__).parent / "vendor" / "deck.min.js").read_bytes()
    return base64.b64encode(gzip.compress(code, mtime=0)).decode()
