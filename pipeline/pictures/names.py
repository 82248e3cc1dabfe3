"""The names of tokens on pictures and pages: short ones, and on a map only as many as do not cover each other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.arrays import Array
from pipeline.pictures.layout import lay_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELLED = 40
"""At most this many frequent tokens are named on a map, as far as the names do not cover each other."""
_TRIED = 500
"""So many of the most frequent tokens are tried for them."""
LETTERS = 28
"""The most letters of a name on a picture."""


def shortened(label: str, most: int = LETTERS) -> str:
    r"""A label in one line, of at most so many letters; a longer one is cut.

    Of `column=value` the value tells more: the column keeps a third of the letters, or what the value leaves.

    >>> shortened("Alien\n(1979)"), shortened("Star Wars: Episode IV - A New Hope (1977)", 12)
    ('Alien (1979)', 'Star Wars: …')
    >>> shortened("Would you recommend it to a friend=Hardly ever")
    'Would you recom…=Hardly ever'
    """
    label = " ".join(label.split())
    column, _, value = label.partition("=")
    if len(label) <= most or len(column) <= most // 3 or not value:
        return _cut(label, most)
    value = _cut(value, most - most // 3 - 1)
    return f"{_cut(column, most - len(value) - 1)}={value}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def name_some(axes: "Axes", points: Array, labels: Sequence[str], colour: str) -> None:
    """Write the names of frequent tokens beside their points, each within the map and where there is no name yet.

    Args:
        axes: on which nothing is drawn any more that changes where a point lies.
        points: (n, 2) of the most frequent token first.
        labels: their names.
        colour: of the letters.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.patheffects import withStroke
    from matplotlib.textpath import text_to_path
    from matplotlib.transforms import Bbox

    figure = axes.get_figure(root=True)
    assert figure is not None
    lay_out(figure)  # only then it is known where a point lies
    dot = figure.dpi / 72  # pixels of a printer's point
    font, beside, halo = FontProperties(size=7.5), np.array([3, 2]), [withStroke(linewidth=2, foreground="white")]
    taken: list[Bbox] = []
    for place, spot, label in zip(points, axes.transData.transform(points[:_TRIED]), labels, strict=False):
        if len(taken) == LABELLED:
            break
        name = shortened(label)
        width, height, _ = text_to_path.get_text_width_height_descent(name, font, ismath=False)
        is_before = spot[0] + dot * (width + 5) > axes.bbox.x1  # behind its point, a name would leave the map
        shift = beside * (-1 if is_before else 1, 1)
        x, y = spot + dot * shift - (dot * width * is_before, 0)
        box = Bbox.from_bounds(x, y, dot * width, dot * height)
        box = box.padded(2 * dot, dot)  # room for a letter between two names
        if not any(box.overlaps(other) for other in taken):
            taken.append(box)
            axes.annotate(
                name, place, xytext=tuple(shift), textcoords="offset points", fontproperties=font, color=colour,
                ha="right" if is_before else "left", parse_math=False, path_effects=halo,
            ).set_in_layout(False)  # fmt: skip
