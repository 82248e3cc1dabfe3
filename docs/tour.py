"""The README's path of clicks in a real browser, from the list of assets to the choice of D.

The tests walk it on planted data. `make pictures` walks it on the results of `make run` (see `pictures`).
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

T = TypeVar("T")
FOLDER = Path(__file__).parent
WAIT = 600
"""Most seconds to wait for an element of a page, or for `make dev` to end: a busy machine takes long."""
SETTLED = 4.0
"""Seconds until nothing on a page moves any more."""
STILL = 0.5
"""Seconds for which an element has to stay in its place before it is clicked."""
_DRAWS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")  # WebGL without a graphics card
NOT_OURS = ("users/current", "go.apollo.dev", "ResizeObserver loop")
"""Console messages of the two UIs themselves: the user, the size of a table, a warning of the GraphQL client."""


def open_browser(profile: Path, draws: bool = True) -> Chrome:
    """Start a browser without a window, which makes no requests of its own in the background.

    Args:
        profile: an empty folder.
        draws: whether it has WebGL without a graphics card: this takes half a processor as long as anything moves.

    Raises:
        FileNotFoundError: Chromium or its driver is not installed.
    """
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        raise FileNotFoundError("there is no Chromium with its driver here: make browser")
    options = ChromeOptions()
    for argument in (
        *("--headless=new", "--no-sandbox", "--no-first-run", f"--user-data-dir={profile}", "--window-size=1400,900"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"),
        *(_DRAWS if draws else ("--disable-gpu", "--force-prefers-reduced-motion")),
    ):
        options.add_argument(argument)
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Chrome(options=options, service=ChromeService(driver))


def console_errors(browser: Chrome) -> list[Any]:
    """Errors in the browser's console since the last call, without those of the two UIs themselves."""
    entries = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return [entry for entry in entries if not any(known in entry["message"] for known in NOT_OURS)]


def leave(browser: Chrome) -> None:
    """Leave the page that is open, whose server may be gone, and forget what it told the console."""
    browser.get("about:blank")
    browser.get_log("browser")


def until(browser: Chrome, holds: Callable[[Chrome], T | bool], otherwise: str = "") -> T:
    """What a page answers, as soon as it is true; elements that the page draws anew meanwhile are looked for again.

    Raises:
        TimeoutException: it was not true within `WAIT`; `otherwise` says what is missing.
    """
    answer = WebDriverWait(browser, WAIT, ignored_exceptions=[StaleElementReferenceException]).until(holds, otherwise)
    return cast(T, answer)


def shown(browser: Chrome, xpath: str) -> WebElement:
    """The first element that is shown at an XPath, as soon as there is one."""
    return until(
        browser,
        lambda page: next((one for one in page.find_elements(By.XPATH, xpath) if one.is_displayed()), False),
        f"nothing is shown at {xpath}",
    )


def free_port() -> int:
    """A free port, which no other program gets by chance before it is used."""
    for port in random.SystemRandom().sample(range(10_000, 32_000), 100):  # below the ports that systems give out
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


@contextmanager
def served(**environment: str) -> Iterator[str]:
    """Run `make dev` as long as the context lasts, and yield the address of Dagster's page."""
    ports = {"DAGSTER_PORT": str(free_port()), "MLFLOW_PORT": str(free_port())}
    settings = {**os.environ, **ports, **environment}
    with TemporaryDirectory() as folder:
        printed = Path(folder) / "printed.txt"
        with printed.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "assets", "dev"],
                cwd=FOLDER.parent, env=settings, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        try:
            while "Ctrl-C" not in printed.read_text():
                if process.poll() is not None:
                    raise RuntimeError(printed.read_text())
                time.sleep(0.2)
            yield f"http://127.0.0.1:{settings['DAGSTER_PORT']}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=WAIT)


@dataclass(frozen=True)
class Tour:
    """A person who clicks through the pages of `make dev` in a browser."""

    browser: Chrome
    dagster: str
    dataset: str

    def find(self, xpath: str) -> WebElement:
        """The first element that is shown at an XPath, as soon as there is one."""
        return shown(self.browser, xpath)

    def read(self, xpath: str) -> tuple[str, dict[str, float]]:
        """The text of what is shown at an XPath, and where it is: x, y, width and height."""

        def text_and_place(_: Chrome) -> tuple[str, dict[str, float]]:
            element = self.find(xpath)
            return element.text, element.rect

        return until(self.browser, text_and_place)

    def click(self, xpath: str) -> None:
        """Click the element at an XPath once it stays in its place: while a page is built, a click may miss it."""

        def clicked(browser: Chrome) -> bool:
            element = self.find(xpath)
            before = element.rect
            time.sleep(STILL)
            if element.rect != before:
                return False
            ActionChains(browser).move_to_element(element).click().perform()
            return True

        until(self.browser, clicked, f"nothing stays in its place at {xpath}")

    def answer(self) -> None:
        """The page of the comparison: which D to take and why, in its first row."""
        self.browser.get(f"{self.dagster}/assets/{self.dataset}/comparison")
        self.find("//*[normalize-space()='answer']")

    def group(self) -> None:
        """A click on the group of the dataset: the way of the data, and beside it what each asset says."""
        self.click(f"//a[contains(@href, 'asset-groups~group') and normalize-space()='{self.dataset}']")
        self.click("//*[@title='comparison']")
        self.find("//*[normalize-space()='compare in MLflow']")

    def compare(self) -> None:
        """The link to MLflow's *Compare* page, which draws dimension and method of each run."""
        self._follow("embedding and PCA side by side")
        self.find("//*[name()='svg']//*[text()='dimension']")
        self.browser.back()

    def runs(self) -> None:
        """The link to MLflow's list of the current runs, the best first, with the metrics that matter."""
        self._follow("the current runs, the best first")
        self.find("//*[@role='row']//a[contains(@href, '/runs/')]")

    def report(self) -> None:
        """*report* in the list of assets, then its link: the page that can be mailed, as MLflow shows it."""
        self.browser.back()
        self.click("//*[@title='report']")
        self._follow("read it")
        self.browser.switch_to.frame(self.find("//iframe"))
        self.find("//a[text()='Which D']").click()

    def job(self) -> None:
        """Open *Jobs*, then the dataset: its assets can be made with one click."""
        self.browser.get(self.dagster)
        self.click("//a[normalize-space()='Jobs']")
        self.click(f"//a[normalize-space()='{self.dataset}']")
        self.find("//*[name()='svg']//*[text()='raw_records']")

    def materialize(self) -> None:
        """Click *Materialize all* on the page of the job, then the tab *Runs* and the run in it."""
        self.click("//button[contains(., 'Materialize all') and not(@disabled)]")
        self.find(self._run)
        self.click(f"//a[contains(@href, '/jobs/{self.dataset}/runs')]")
        self.click(self._run)

    def terminate(self) -> None:
        """Click *Terminate* on the page of a run, and again in the dialog that asks for confirmation."""
        self.click("//button[contains(., 'Terminate')]")
        self.click("//*[@role='dialog' or contains(@class, 'Dialog')]//button[contains(., 'Terminate')]")

    @property
    def _run(self) -> str:
        return "//a[contains(@href, '/runs/') and not(contains(@href, '/jobs/'))]"

    def _follow(self, link: str) -> None:
        address = self.find(f"//a[normalize-space()='{link}']").get_attribute("href")
        assert address is not None
        self.browser.get(address)  # a click would open another tab
