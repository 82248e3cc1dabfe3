"""HTML files with places for values, filled by Jinja: a value is escaped, unless the template says that it is safe."""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2


def filled(template: str, **values: Any) -> str:
    """A file of this folder with its values.

    Raises:
        jinja2.UndefinedError: a value is missing.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
