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
from selenium.webdriver.common.keys import Keys

from docs.tour import FOLDER, SETTLED, WAIT, free_port, shown, until

PICTURE = FOLDER / "try_it.png"
_TAKE = "//button[normalize-space()='take it in']"
_LIST = "//*[@data-testid='stMultiSelect']"
_STAR = """
    const map = document.querySelector('.js-plotly-plot');
    const star = map?.data?.find(trace => trace.name === 'you');
    return star ? JSON.stringify([star.x, star.y]) : null;"""


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


def place(browser: Chrome) -> str | None:
    """Where the star is on the map, as the page has it; none where the list is empty."""
    found: str | None = browser.execute_script(_STAR)
    return found


def typed(browser: Chrome, label: str) -> None:
    """Type a label into the list, choose what is completed, and wait until the star has moved."""
    before = place(browser)
    shown(browser, f"{_LIST}//input").send_keys(label)
    _click(browser, f"//*[@role='option' and contains(., {label!r})]")
    shown(browser, f"{_LIST}//*[normalize-space(text())={label!r}]")
    shown(browser, f"{_LIST}//input").send_keys(Keys.ESCAPE)
    until(browser, lambda page: place(page) != before, f"{label} does not move the star")


def take_in(browser: Chrome) -> None:
    """Take the first recommendation into the list, and wait until the star has moved."""
    before = place(browser)
    _click(browser, _TAKE)
    until(browser, lambda page: place(page) != before, "what is taken in does not move the star")


def _click(browser: Chrome, xpath: str) -> None:
    def clicked(page: Chrome) -> bool:
        shown(page, xpath).click()
        return True

    until(browser, clicked)


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
