"""The page of `make try` in a real browser: name two films, take a third in, and see where one is on the map.

The tests walk it on planted data; `make pictures` walks it on the results of `make run`, and keeps a picture.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from docs.tour import FOLDER, SETTLED, WAIT, free_port

PICTURE = FOLDER / "try_it.png"
_TAKE = "//button[normalize-space()='take it in']"


@contextmanager
def tried(dataset: str, **environment: str) -> Iterator[str]:
    """Run `make try` as long as the context lasts, and yield the address of its page."""
    port = str(free_port())
    process = subprocess.Popen(
        [sys.executable, "-m", "assets", "try", dataset],
        cwd=FOLDER.parent, env={**os.environ, **environment, "TRY_PORT": port}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "Ctrl-C" in line:
                break
        else:
            raise RuntimeError("the page did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=WAIT)
        process.stdout.close()


def found(browser: Chrome, xpath: str) -> WebElement:
    """The first element that is shown at an XPath, as soon as there is one."""

    def shown(browser: Chrome) -> WebElement | bool:
        return next((one for one in browser.find_elements(By.XPATH, xpath) if one.is_displayed()), False)

    element = WebDriverWait(browser, WAIT).until(shown, f"nothing is shown at {xpath}")
    assert isinstance(element, WebElement)
    return element


def typed(browser: Chrome, label: str) -> None:
    """Type a label into the list, and choose what is completed."""
    field = found(browser, "//*[@data-testid='stMultiSelect']//input")
    field.send_keys(label)
    found(browser, f"//*[@role='option' and contains(., {label!r})]").click()
    found(browser, f"//*[@data-testid='stMultiSelect']//*[normalize-space(text())={label!r}]")
    found(browser, "//*[@data-testid='stMultiSelect']//input").send_keys(Keys.ESCAPE)
    settled(browser)


def take_in(browser: Chrome) -> None:
    """Take the first recommendation into the list."""
    found(browser, _TAKE).click()
    settled(browser)


def settled(browser: Chrome) -> None:
    """Wait until the page has run to its end."""
    time.sleep(0.3)
    WebDriverWait(browser, WAIT).until(
        lambda driver: (
            not driver.find_elements(By.XPATH, "//*[@data-testid='stStatusWidget']")
            and driver.find_elements(By.XPATH, "//*[@data-testid='stApp' and @data-test-script-state='notRunning']")
        )
    )


def picture(browser: Chrome) -> Path:
    """Keep a picture of the page, with three films in the list."""
    with tried("movies") as address:
        browser.set_window_size(1440, 1000)
        browser.get(address)
        for label in ("Alien (1979)", "Blade Runner (1982)"):
            typed(browser, label)
        take_in(browser)
        time.sleep(SETTLED)
        browser.save_screenshot(str(PICTURE))
    return PICTURE
