"""Fetches files by http(s) into a folder, where they stay: once, and again only if they have changed."""

import hashlib
import json
import logging
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock

from pipeline.errors import PipelineError
from pipeline.secrets import masked

_CHUNK = 2**20
_SECONDS = 60
"""How long a server may say nothing."""
_TRIES = 3
WEB = ("http://", "https://")
LOG = logging.getLogger(__name__)


def fetched(url: str, folder: Path) -> Path:
    """The file at an address, in a folder.

    A file that is there already is asked for only if it has changed; if the server cannot be reached, it is used as it
    is. A transfer that breaks off is taken up where it ended.

    Args:
        url: its address, with user and password if it needs them.
        folder: where fetched files stay; made if it is missing.

    Raises:
        PipelineError: the file cannot be fetched.
    """
    path = place_of(url, folder)
    with FileLock(path.with_name(f".{path.name}.lock")):
        return _Transfer(url, path).done()


def place_of(url: str, folder: Path) -> Path:
    """The path of the file of an address in a folder, which is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    name = PurePosixPath(urlsplit(url).path).name or "file"
    key = hashlib.sha256(masked(url).encode()).hexdigest()[:12]
    plain = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)
    return folder / f"{key}-{plain[-100:]}"


class _Transfer:
    """Brings one file up to date."""

    def __init__(self, url: str, path: Path) -> None:
        self.url, self.path = url, path
        self.part = path.with_name(f".{path.name}.part")
        self.about, self.about_part = path.with_name(f".{path.name}.json"), path.with_name(f".{path.name}.part.json")

    def done(self) -> Path:
        """The file, once it is complete."""
        import requests
        import urllib3

        for attempt in range(1, _TRIES + 1):
            try:
                self._fetch()
                return self.path
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                status = getattr(getattr(error, "response", None), "status_code", None)
                gave_up = attempt == _TRIES or (status is not None and status < 500)
                if gave_up and self.path.exists() and status is None:
                    LOG.warning("%s cannot be reached: the copy of an earlier run is used", masked(self.url))
                    return self.path
                if gave_up:
                    reason = f"the server says {status}" if status else f"{type(error).__name__}"
                    raise PipelineError(
                        f"{self.url}: cannot be fetched ({reason}). Correct `source.path`, or fetch it yourself and "
                        "give its path."
                    ) from None
        raise AssertionError("the last try returns or raises")

    def _fetch(self) -> None:
        import requests

        with requests.get(self.url, headers=self._headers(), stream=True, timeout=_SECONDS) as answer:
            if answer.status_code == 304:
                return
            if answer.status_code == 416:  # the part that is there is not of this file any more
                self.part.unlink()
                raise OSError("the file has changed")
            answer.raise_for_status()
            goes_on = answer.status_code == 206
            if not goes_on:  # wherever this process ends, no file stands beside the state of another one
                self.part.unlink(missing_ok=True)
                self.about_part.write_text(json.dumps(_state(answer)))
            self._write(answer, goes_on)
        self.about.unlink(missing_ok=True)
        self.part.replace(self.path)
        self.about_part.replace(self.about)

    def _headers(self) -> dict[str, str]:
        """Asks for a changed file only, or for the rest of a file of which a part is there."""
        has_part = self.part.exists()
        known: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            known = json.loads((self.about_part if has_part else self.about).read_text())
        mark = known.get("etag") or known.get("modified")
        headers = {"Accept-Encoding": "identity"}
        if has_part:
            is_exact = mark and not str(mark).startswith("W/")
            part = {"Range": f"bytes={self.part.stat().st_size}-", "If-Range": str(mark)}
            return headers | (part if is_exact else {})
        if self.path.exists() and known.get("etag"):
            headers["If-None-Match"] = str(known["etag"])
        elif self.path.exists() and known.get("modified"):
            headers["If-Modified-Since"] = str(known["modified"])
        return headers

    def _write(self, answer: Any, goes_on: bool) -> None:
        from tqdm import tqdm  # type: ignore[import-untyped]

        start = self.part.stat().st_size if goes_on else 0
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else None
        bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=self.path.name[13:], mininterval=1)
        with bar, self.part.open("ab" if goes_on else "wb") as file:
            for some in answer.raw.stream(_CHUNK, decode_content=False):
                file.write(some)
                bar.update(len(some))
        if total is not None and self.part.stat().st_size != total:
            raise OSError("the transfer broke off")


def _state(answer: Any) -> dict[str, str | None]:
    """By what a server tells whether a file has changed."""
    return {"etag": answer.headers.get("ETag"), "modified": answer.headers.get("Last-Modified")}
