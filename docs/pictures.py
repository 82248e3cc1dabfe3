"""`make pictures`: the README's pictures anew, of what `make run` made."""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

import pipeline
from docs import try_it
from docs.course import keep
from docs.tour import FOLDER, SETTLED, Tour, open_browser, served
from pipeline.experiment.client import artifact_of, client_of
from pipeline.home import tracking_uri

_ASSISTANT = "[data-component-id='mlflow.assistant.chat_panel.close']"
"""What closes the panel that MLflow opens beside its page at the first visit."""


def draw(browser: Chrome) -> None:
    """Copy the champion's map, try its page, and walk the tour; keep a picture of each stop in this folder."""
    run = pipeline.load("movies").facts["mlflow_run"]
    keep(artifact_of(client_of(tracking_uri()), run, "map.png"), FOLDER / "map.png")
    print(f"docs/map.png: the champion's map\ndocs/{try_it.picture(browser).name}: {try_it.picture.__doc__}")
    with served() as dagster:
        browser.set_window_size(1440, 1000)
        tour = Tour(browser, dagster, "movies")
        for number, stop in enumerate((tour.answer, tour.group, tour.runs, tour.report), 1):
            stop()
            for close in browser.find_elements(By.CSS_SELECTOR, _ASSISTANT):
                close.click()
            browser.execute_script("scrollTo(0, 0)")  # in the report, where the answer is
            time.sleep(SETTLED)
            browser.switch_to.default_content()
            shown = browser.find_elements(By.TAG_NAME, "iframe") or [browser.find_element(By.TAG_NAME, "body")]
            shown[0].screenshot(str(FOLDER / f"{number}_{stop.__name__}.png"))
            print(f"docs/{number}_{stop.__name__}.png: {stop.__doc__}")


def main() -> int:
    """Draw all pictures in a browser of their own; 1 if there is none."""
    with TemporaryDirectory() as profile:
        try:
            browser = open_browser(Path(profile))
        except FileNotFoundError as error:
            print(f"error: {error}")
            return 1
        with browser:
            draw(browser)
    return 0


if __name__ == "__main__":
    sys.exit(main())
