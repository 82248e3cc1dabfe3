"""The documentation site, built as `make site` does; and the pages of it that stand nowhere else in the tests."""

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import polars as pl
import pytest
import yaml
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from docs.metrics import page
from docs.tour import console_errors, leave
from pipeline.config.files import load
from pipeline.config.task import Task
from pipeline.proposal.conf_file import proposed
from tests.conftest import wait_until

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
OUTSIDE = ("http://", "https://", "mailto:", "//")

pytestmark = pytest.mark.slow(15)


class Page(HTMLParser):
    """What a page of the site links to, what it loads, and the names in it that others can link to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.names: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.names |= {found[name] or "" for name in ("id", "name") if name in found}
        address = found.get("href") or found.get("src")
        if address and tag == "a":
            self.links.append(address)
        elif address and found.get("rel") not in ("canonical", "search"):
            self.loaded.append(address)


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build a site strictly: a warning, such as one of a link that leads nowhere, is an error."""
    (line,) = re.findall(r"^\t@\$\(BIN\)/python -m (sphinx .*) site$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    command = [sys.executable, "-m", *line.split(), str(site)]
    return subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """The pages of the site, by their files."""
    folder = tmp_path_factory.mktemp("site")
    done = build(PROJECT, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path: Page(path) for path in folder.rglob("*.html")}


def root_of(site: dict[Path, Page]) -> Path:
    """The folder of the site."""
    return next(path.parent for path in site if path.name == "index.html")


def targets(site: dict[Path, Page]) -> Iterator[tuple[Path, str, Path, str]]:
    """Each address within the site: the page that has it, how it is written, the file and the name that it leads to."""
    for path, found in site.items():
        for address in found.links + found.loaded:
            if not address.startswith(OUTSIDE):
                file, name = urldefrag(address)
                yield path, address, (path.parent / unquote(file.partition("?")[0])).resolve() if file else path, name


def test_every_link_leads_to_a_page_and_a_place_in_it(site: dict[Path, Page]) -> None:
    found = list(targets(site))
    assert len(found) > 500
    for path, address, file, name in found:
        assert file.is_file(), (path, address)
        assert not name or file.suffix != ".html" or unquote(name) in site[file].names, (path, address)


def test_nothing_is_loaded_from_elsewhere(site: dict[Path, Page]) -> None:
    assert sum(len(found.loaded) for found in site.values()) > 50
    for path, found in site.items():
        assert not [address for address in found.loaded if address.startswith(OUTSIDE)], path
    for style in (root_of(site) / "_static").rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text()), style


def test_a_phone_shows_it_and_a_search_finds_in_it_without_a_server(site: dict[Path, Page], reader: Chrome) -> None:
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    root = root_of(site)
    leave(reader)
    reader.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        for path in site:
            reader.get(path.as_uri())
            assert reader.execute_script("return document.documentElement.scrollWidth") <= 390, path
        reader.get(f"{(root / 'search.html').as_uri()}?q=recall")
        # The script of the page writes the summary, some time after the page itself is there.
        wait_until(lambda: any("found" in said.text for said in reader.find_elements(By.CLASS_NAME, "search-summary")))
        found = [link.text for link in reader.find_elements(By.CSS_SELECTOR, "ul.search li a")]
        assert "What the metrics mean" in found
        assert console_errors(reader) == []
    finally:
        reader.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        reader.get("about:blank")


def test_it_has_the_readme_itself_and_every_page(site: dict[Path, Page]) -> None:
    root = root_of(site)
    assert "Declare your sparse data in one YAML" in (root / "index.html").read_text()
    for page_path in DOCS.glob("*.md"):
        assert (root / "docs" / f"{page_path.stem}.html").is_file(), page_path
    api = site[root / "docs" / "api.html"].names
    assert {"pipeline.load", "pipeline.embedding.Embedding", "assets.component.EmbeddingDataset"} <= api


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    """In a copy of the project's pages, one links to a page that there is not, and to a heading that there is not."""
    (tmp_path / "docs").mkdir()
    shutil.copytree(DOCS / "site", tmp_path / "docs" / "site")
    (tmp_path / "README.md").write_text("# One\n\n[a](docs/nowhere.md) and [b](docs/scale.md#nothing)\n")
    (tmp_path / "docs" / "scale.md").write_text("# Two\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    for wrong in ("nowhere.md", "nothing"):
        assert wrong in done.stderr


def test_the_written_page_of_the_metrics_is_that_of_the_code() -> None:
    assert (DOCS / "metrics.md").read_text() == page(), "run `make docs`"
    for task in Task.kinds().values():
        for metric in task.model_construct().metrics:
            assert f"| `{metric.name}` |" in page()


def test_the_proposed_file_is_what_make_new_writes(tmp_path: Path) -> None:
    """On loans of 400 readers, of whom each half reads other books."""
    dice = random.Random(1)
    rows = [
        {"reader": 1000 + reader, "book": f"{('Emma', 'Dracula')[reader % 2]} {book}", "days": dice.randint(1, 28)}
        for reader in range(400)
        for book in dice.sample(range(10), 7)
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "loans.csv")
    (tmp_path / "conf").mkdir()
    told = proposed("books", "../loans.csv", None, tmp_path / "conf", tmp_path)
    assert told.strip() in (DOCS / "your_data.md").read_text()


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", (DOCS / "your_data.md").read_text(), re.DOTALL))
def test_what_a_conf_file_may_say_can_be_said(
    text: str, minimal: dict[str, Any], write_conf: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "a secret")
    load(write_conf("books", {**minimal, **yaml.safe_load(text)}))


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_the_pages_name_only_targets_that_there_are(path: Path) -> None:
    for target in re.findall(r"(?:`|^\$ )make ([a-z]+)", path.read_text(), re.MULTILINE):
        assert re.search(rf"^{target}:.*## ", (PROJECT / "Makefile").read_text(), re.MULTILINE), target
