"""PNG pictures: the map of an embedding, the lengths of its vectors, the losses of a fit.

What they show is computed elsewhere. Each is small for its letters, so that they can be read on a phone too.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.embedding import Embedding
from pipeline.pictures.colours import OTHER, Colour, Groups, ordered
from pipeline.pictures.layout import save
from pipeline.pictures.names import LETTERS, name_some, shortened
from pipeline.pictures.palette import BLUE, CATEGORIES, INK, ORANGE, OTHER_COLOUR, SIGNED
from pipeline.pictures.projection import SHOWN, plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAP, _LINES = (6.4, 6.6), (6.0, 4.4)
"""Inches of a map and of the other pictures."""
_SMALL = 8
"""Size of the letters of a legend."""
_ROW = 70
"""Letters of the names in a row of a legend."""


def draw_map(embedding: Embedding, title: str, path: Path, colour: Colour | None = None) -> None:
    """Draw the map of an embedding: each token is a point, larger if it is more frequent.

    A latent space of two dimensions is drawn as it is. With more dimensions the map has the two principal axes, and
    with one dimension the tokens lie along a line.

    Args:
        embedding: whose most frequent tokens are drawn.
        title: of the picture.
        path: of the PNG file.
        colour: what the points are coloured by, of the most frequent token first.
    """
    embedding = embedding.most_frequent_first()
    view = plane(embedding, SHOWN if colour is None else len(colour.values))
    points, axes_names = view.points, view.axes
    counts = embedding.vocabulary.tokens["count"].to_numpy()[: len(points)]
    axes = _axes(title, _MAP)
    size = 3 + 60 * np.sqrt(counts / counts.max())
    _draw_points(axes, points, size, colour)
    axes.set_xlabel(f"{axes_names[0]}\n{_shown(embedding, len(points))}, larger = more frequent")
    axes.set_ylabel(axes_names[1])
    with _any_script():
        name_some(axes, points, embedding.vocabulary.labels, INK)
    _save(axes, path)


def draw_norms(embedding: Embedding, title: str, path: Path) -> None:
    """Draw the length of each token's vector against its count: does the length say how popular a token is?

    The line is the median over tokens with nearly the same count. The length matters for neighbours by dot product, but
    not for neighbours by cosine.
    """
    embedding = embedding.most_frequent_first()
    counts = np.maximum(embedding.vocabulary.tokens["count"].to_numpy()[:SHOWN], 1)  # `<unknown>` can have count 0
    norms = np.linalg.norm(embedding.matrix[:SHOWN], axis=1)
    axes = _axes(f"{title}: length against count", _LINES)
    axes.scatter(counts, norms, s=8, color=BLUE, alpha=0.35, linewidths=0)
    groups = np.digitize(np.log2(counts), np.arange(0.5, np.log2(counts.max()) + 1))
    middles = [(np.median(counts[groups == group]), np.median(norms[groups == group])) for group in np.unique(groups)]
    axes.plot(*zip(*middles, strict=True), color=ORANGE, marker="o", markersize=4, label="median")
    axes.set_xscale("log" if counts.max() >= 10 * counts.min() else "linear")  # within a decade it reads 2.4 x 10^2
    axes.set_xlabel(f"count in training\n{_shown(embedding, len(norms))}")
    axes.set_ylabel("length of the vector")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter("{x:,.0f}")  # not 10 to the power of 2
    _legend(axes)
    _save(axes, path)


def draw_losses(
    losses: Mapping[str, Sequence[float]], title: str, path: Path, kept: float | None = None, share: float = 1.0
) -> None:
    """Draw the training and the validation loss by epoch, and mark the lowest validation loss and the kept epoch.

    Args:
        losses: train_loss, and validation_loss if there is one, with one value for each epoch; with folds their means.
        title: of the picture.
        path: of the PNG file.
        kept: the epoch, counted from 1, whose network is the fit, or 0, its start; with folds the typical one.
        share: of the way from the start to that epoch, at which the fit lies.
    """
    axes = _axes(f"{title}: the losses", _LINES)
    for (name, values), color in zip(losses.items(), (BLUE, ORANGE), strict=False):
        axes.plot(range(1, len(values) + 1), values, color=color, label=name.replace("_", " "))
    if "validation_loss" in losses:
        best = int(np.argmin(losses["validation_loss"]))
        axes.plot(best + 1, losses["validation_loss"][best], "o", color=ORANGE, label=f"lowest: epoch {best + 1}")
    if kept is not None:
        where = f"epoch {kept}" if share == 1 else f"{100 * share:g}% of the way to epoch {kept}"
        axes.axvline(kept, color=INK, linewidth=0.9, linestyle="--", label=f"kept: {where if kept else 'the start'}")
    axes.locator_params(axis="x", integer=True)  # there is no epoch 1.5
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    _legend(axes)
    _save(axes, path)


def _draw_points(axes: "Axes", points: np.ndarray, size: np.ndarray, colour: Colour | None) -> None:
    """Draw the points in their colours, with a legend of what these mean."""
    x, y = points[:, 0], points[:, 1]
    if colour is None:
        axes.scatter(x, y, s=size, color=BLUE, alpha=0.35, linewidths=0)
    elif isinstance(colour, Groups):
        values = np.array(colour.values)
        for i, name in enumerate(ordered(colour)):
            of = values == name
            hue = OTHER_COLOUR if name == OTHER else CATEGORIES[i]
            axes.scatter(x[of], y[of], s=size[of], color=hue, alpha=0.5, linewidths=0)
            axes.scatter([], [], s=30, color=hue, label=_short(name))  # in the legend all have one size
        _legend(axes, title=_short(colour.name))
    else:
        from matplotlib.colors import LinearSegmentedColormap

        low, high = colour.reach
        hues = LinearSegmentedColormap.from_list("signed", SIGNED) if colour.scale == "diverging" else "viridis"
        drawn = axes.scatter(x, y, s=size, c=colour.values, cmap=hues, vmin=low, vmax=high, alpha=0.7, linewidths=0)
        bar = axes.figure.colorbar(drawn, ax=axes, location="bottom", shrink=0.5, aspect=30, ticks=[low, high])
        bar.ax.set_xticklabels(map(_short, colour.ends), fontsize=_SMALL)
        bar.set_label(_short(colour.name, 2 * LETTERS), fontsize=_SMALL)


def _short(text: str, most: int = LETTERS) -> str:
    """A text that leaves room for the map, and in which `$` is no formula."""
    return shortened(text, most).replace("$", r"\$")


def _shown(embedding: Embedding, n: int) -> str:
    """How many tokens a picture shows, and how many there are, in words.

    >>> from pipeline.vocabulary.vocabulary import Vocabulary
    >>> two = Embedding(Vocabulary.of({"a": 2, "b": 1}), np.zeros((2, 1), np.float32))
    >>> _shown(two, 1), _shown(two, 2)
    ('the 1 most frequent of 2 tokens', '2 tokens')
    """
    size = len(embedding.vocabulary)
    return f"the {n:,} most frequent of {size:,} tokens" if n < size else f"{size:,} tokens"


def _legend(axes: "Axes", title: str | None = None) -> None:
    """Say below the axes what is drawn: a place between it would have to be looked for, which takes long for many."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    names = axes.get_legend_handles_labels()[1]
    fit = max(_ROW // (max(map(len, names)) + 6), 1)  # a marker takes the room of some letters
    rows = -(-len(names) // fit)
    columns = -(-len(names) // rows)
    figure.legend(title=title, fontsize=_SMALL, frameon=False, loc="outside lower center", ncols=columns)


def _axes(title: str, inches: tuple[float, float]) -> "Axes":
    from matplotlib.figure import Figure  # not pyplot: no global state, no window

    axes = Figure(figsize=inches, layout="constrained").add_subplot()
    axes.set_title(title, loc="left", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _save(axes: "Axes", path: Path) -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None
    with _any_script():
        save(figure, path)


@contextmanager
def _any_script() -> Iterator[None]:
    """Without a warning of each letter that no font here has."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*missing")
        yield
