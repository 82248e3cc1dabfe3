"""The documentation site, as Sphinx reads it: `make site`. Its pages are the Markdown files of this project.

The source folder is the project's own, so that the links of README.md lead to the same files here and there.
"""

import shutil
import sys
from itertools import chain
from pathlib import Path

from sphinx.application import Sphinx

PROJECT = Path(__file__).parents[2]
sys.path.insert(0, str(PROJECT))

START = "README"
PAGES = {
    "Learn": [START, "docs/course", "docs/your_data", "docs/metrics"],
    "Look up": ["docs/conf", "docs/api", "docs/other_tools", "docs/scale"],
    "The project": ["benchmarks/README", "CONTRIBUTING", "CHANGELOG"],
}
"""The pages, under the headings of the menu."""

project = html_title = "Embedding Pipeline"
root_doc = START
include_patterns = [f"{page}.md" for page in chain(*PAGES.values())]
exclude_patterns = [".*", "assets", "pipeline", "site", "tests", "var"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
highlight_language = "none"
default_role = "literal"  # docstrings have names in single backticks
napoleon_numpy_docstring = False
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80

html_theme = "furo"
html_static_path = ["style"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_search_summary = False  # it would be fetched, which a browser refuses to pages from files
_TYPE = ":type: "


def _with_the_menu(app: Sphinx, page: str, source: list[str]) -> None:
    """Add the list of all pages to the first one."""
    if page == START:
        for caption, pages in PAGES.items():
            names = ("Start <self>" if name == START else name for name in pages)
            lines = [f":caption: {caption}", ":hidden:", "", *names]
            source[0] += "\n".join(["\n\n```{toctree}", *lines, "```\n"])


def _with_whole_sentences(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Join what napoleon has taken for the type of an attribute, the words before a colon, with the words behind it."""
    for i, line in enumerate(lines):
        if what in ("attribute", "property") and line.startswith(_TYPE):
            lines[0] = f"{line.removeprefix(_TYPE)}: {lines[0]}"
            del lines[i]


def _with_an_index(app: Sphinx, error: Exception | None) -> None:
    """Let the first page also be what a folder opens with."""
    if error is None:
        shutil.copyfile(app.outdir / f"{START}.html", app.outdir / "index.html")


def setup(app: Sphinx) -> None:
    """Connect these with Sphinx."""
    app.connect("autodoc-process-docstring", _with_whole_sentences)
    app.connect("source-read", _with_the_menu)
    app.connect("build-finished", _with_an_index)
