"""Dagster's and MLflow's pages together: start both servers, print both addresses, end both on Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import psutil

from assets import links
from assets.addresses import HOST, Pages, note_servers, noted_servers
from assets.home import conf_folder, dagster_home, home, require_home
from assets.in_process import CODE, fail_lost_runs
from assets.resources import MLflow, mlflow_from_environment
from assets.run_command import instance
from pipeline.errors import PipelineError
from pipeline.experiment.liveness import is_gone
from pipeline.experiment.moved_home import ARTIFACTS
from pipeline.home import project, typed

GRACE_SECONDS = 15
_NOT_OURS = ("ignore:Function `dev_command` is superseded", "ignore:starlette.middleware.wsgi is deprecated")
"""Warnings of the two servers about themselves, which nobody who looks at their pages can cure."""


def serve() -> int:
    """Serve both until Ctrl-C, or until one of them ends by itself.

    Raises:
        PipelineError: both are served already for this home, a port is taken, or a server does not start.
    """
    require_home()
    pages = Pages.asked_for()
    mlflow = mlflow_from_environment(pages)
    mlflow.prepare()
    environment, commands = _environment(mlflow), _commands(pages, mlflow)
    _end_what_is_left()
    if _running():  # a second daemon of Dagster would begin the same runs
        raise PipelineError(
            f"`{typed('dev')}` runs already: {Pages.served().dagster}. Look there, or stop it first, with Ctrl-C."
        )
    for address in commands:
        require_free(int(address.rpartition(":")[2]), f"DAGSTER_PORT=3001 MLFLOW_PORT=5001 {typed('dev')}")
    links.follow(mlflow)
    with instance() as dagster:
        fail_lost_runs(dagster)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background job would ignore it
    servers: list[subprocess.Popen[bytes]] = []
    try:
        # each has its own process group: Ctrl-C reaches only this process, which ends each group with its children
        servers.extend(
            subprocess.Popen(command, cwd=project(), env=environment, start_new_session=True)
            for command in commands.values()
        )
        note_servers({server.pid: psutil.Process(server.pid).create_time() for server in servers}, pages)
        for address, server in zip(commands, servers, strict=True):
            _wait_for(int(address.rpartition(":")[2]), server)
        print(f"\nDagster  {pages.dagster}\nMLflow   {mlflow.start}\nCtrl-C ends both.\n", flush=True)
        while all(server.poll() is None for server in servers):
            time.sleep(0.5)
        raise PipelineError("one of the two servers ended by itself; what it printed above says why.")
    except KeyboardInterrupt:
        return 0
    finally:
        _end(servers)


def _environment(mlflow: MLflow) -> dict[str, str]:
    """The environment of both servers."""
    return {
        **os.environ,
        "DAGSTER_HOME": str(dagster_home()),
        "PYTHONWARNINGS": ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), *_NOT_OURS))),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_BACKEND_STORE_URI": mlflow.tracking_uri,  # not on the command line: it may have a password
        "MLFLOW_REGISTRY_STORE_URI": mlflow.tracking_uri,  # it would warn that it takes this one
        "MLFLOW_ARTIFACTS_DESTINATION": (home() / ARTIFACTS).as_uri(),  # for experiments that are made on its page
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # saves three processes that nothing here uses
    }


def _commands(pages: Pages, mlflow: MLflow) -> dict[str, list[str]]:
    """The command of each server that is to be started, by its address."""
    # no scripts: they start what they were installed beside. -P: a user's own `pipeline.py` may lie beside conf
    module = (sys.executable, "-P", "-m")
    commands = {
        pages.dagster: [
            *(*module, "dagster", "dev", *_code()),
            *("-h", HOST, "-p", str(pages.dagster_port), "--log-level", "warning"),
        ]
    }
    if mlflow.is_local:
        commands[pages.mlflow] = [
            *(*module, "mlflow", "server", "--workers", "1"),
            *("--host", HOST, "--port", str(pages.mlflow_port), "--uvicorn-opts", "--log-level warning"),
        ]
    return commands


def _end_what_is_left() -> None:
    """End the servers of an earlier process that was killed; those of one that is alive stay."""
    noted = noted_servers()
    if noted is None or not is_gone(noted["by"]):
        return
    for server in _running():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(GRACE_SECONDS)


def _running() -> list[psutil.Process]:
    """The servers of this home that were noted last and still run on this machine."""
    noted, found = noted_servers(), []
    for pid, created in noted["servers"].items() if noted else ():
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(int(pid))
            if server.create_time() == created:
                found.append(server)
    return found


def _code() -> tuple[str, ...]:
    """What tells Dagster where the definitions are."""
    workspace = project() / "workspace.yaml"
    return ("-w", str(workspace)) if workspace.exists() else ("-m", CODE, "-d", str(conf_folder()))


def require_free(port: int, another: str) -> None:
    """Refuse a port on which something listens.

    Args:
        port: where a server is to listen.
        another: the command that would choose another.

    Raises:
        PipelineError: it is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise PipelineError(f"port {port} is taken. Stop it, or choose others: {another}") from None


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.2)
    raise PipelineError(f"the server for port {port} did not start; what it printed above says why.")


def _end(servers: list[subprocess.Popen[bytes]]) -> None:
    """Ask each group to end, wait, then end what is left of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave anything running
    for kind, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, 1)):
        for server in servers:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, kind)
        until = time.monotonic() + patience
        while time.monotonic() < until and any(_alive(server) for server in servers):
            time.sleep(0.1)


def _alive(server: subprocess.Popen[bytes]) -> bool:
    server.poll()
    try:
        os.killpg(server.pid, 0)
    except ProcessLookupError:
        return False
    return True
