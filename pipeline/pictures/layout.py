"""Where the parts of a picture lie: it is found once, and then the picture is drawn once."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 170
"""Pixels of an inch in a file."""


def lay_out(figure: "Figure") -> None:
    """Give all parts of a figure their places, where they stay whatever is drawn later."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    figure.set_layout_engine("none")


def save(figure: "Figure", path: Path) -> None:
    """Write a figure into a PNG file.

    Matplotlib's own `savefig` draws everything once more, to nowhere, before it draws what it writes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(DPI)
    lay_out(figure)
    FigureCanvasAgg(figure).print_png(path)  # type: ignore[no-untyped-call]
