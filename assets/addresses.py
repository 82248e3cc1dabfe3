"""Where people look: the ports of Dagster's and MLflow's pages, which the servers that run decide, if some do."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Self

from assets.home import home
from pipeline.errors import PipelineError
from pipeline.experiment.liveness import is_gone, this_process

HOST = "127.0.0.1"
_SERVERS = "servers.json"
"""The file in the home that names the servers that run."""


@dataclass(frozen=True)
class Pages:
    """The ports of both pages."""

    dagster_port: int
    mlflow_port: int

    @property
    def dagster(self) -> str:
        """The address of Dagster's page."""
        return f"http://{HOST}:{self.dagster_port}"

    @property
    def mlflow(self) -> str:
        """The address of MLflow's page, unless a server of MLflow keeps the runs."""
        return f"http://{HOST}:{self.mlflow_port}"

    @classmethod
    def asked_for(cls) -> Self:
        """Those that the environment asks for, or the default ones.

        Raises:
            PipelineError: it names something else than a port.
        """
        return cls(port("DAGSTER_PORT", 3000), port("MLFLOW_PORT", 5000))

    @classmethod
    def served(cls) -> Self:
        """The addresses of the servers that run for this home; if none run, those that `make dev` would take."""
        noted = noted_servers()
        return cls.asked_for() if noted is None or is_gone(noted["by"]) else cls(**noted["pages"])


def port(variable: str, default: int) -> int:
    """The port that an environment variable names.

    Raises:
        PipelineError: it is set to something else than a port.
    """
    value = os.environ.get(variable) or str(default)
    if not (value.isdecimal() and 0 < int(value) < 65536):
        raise PipelineError(f"{variable}={value} is not a port: give a number from 1 to 65535.")
    return int(value)


def note_servers(started: dict[int, float], pages: Pages) -> None:
    """Write down the servers of this process: for those who link to them, and in case it is killed and cannot end them.

    Args:
        started: when each process was started, by its number.
        pages: what they serve.
    """
    noted = {"home": str(home()), "by": this_process(), "servers": started, "pages": asdict(pages)}
    (home() / _SERVERS).write_text(json.dumps(noted))


def noted_servers() -> dict[str, Any] | None:
    """What was noted last of servers of this home; None for none, or if the home is a copy of theirs."""
    with suppress(OSError, ValueError, KeyError):
        noted: dict[str, Any] = json.loads((home() / _SERVERS).read_text())
        if noted["home"] == str(home()) and {"by", "servers", "pages"} <= set(noted):
            return noted
    return None
