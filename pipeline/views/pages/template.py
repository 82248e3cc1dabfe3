"""HTML files with places for values."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

_FOLDER = Path(__file__).parent


def filled(template: str, **values: str) -> str:
    """A file of this folder with each `{{ name }}` replaced by its value, which is HTML already."""
    head, *rest = (_FOLDER / template).read_text(encoding="utf-8").split("{{ ")
    parts = [part.split(" }}", 1) for part in rest]
    return head + "".join(values[name] + text for name, text in parts)


def table(cells: Sequence[Sequence[str]], caption: str, texts: bool = False) -> str:
    """A table with a head; the first column names the row, the others hold numbers, or texts."""
    head, *rows = cells
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    kind = "texts" if texts else "numbers"
    return (
        f'<div class="wide"><table class="{kind}"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
