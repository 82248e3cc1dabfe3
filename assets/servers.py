"""Dagster's and MLflow's pages together: start both servers, print both addresses, end both on Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from assets.command import typed
from assets.home import dagster_home, home, require_home
from assets.resources import mlflow_from_environment, port
from pipeline.errors import PipelineError
from pipeline.experiment.liveness import is_gone, this_process
from pipeline.home import project

HOST = "127.0.0.1"
_SERVERS = "servers.json"
"""The file in the home that names the servers that run."""
GRACE_SECONDS = 15


def serve() -> int:
    """Serve both until Ctrl-C, or until one of them ends by itself.

    Raises:
        PipelineError: a port is taken, or a server does not start.
    """
    require_home()
    mlflow = mlflow_from_environment()
    mlflow.prepare()
    dagster_port = port("DAGSTER_PORT", 3000)
    bin_folder = Path(sys.executable).parent
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(dagster_home()),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_BACKEND_STORE_URI": mlflow.tracking_uri,  # not on the command line: it may have a password
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # saves three processes that nothing here uses
    }
    commands = {
        f"http://{HOST}:{dagster_port}": [
            *(str(bin_folder / "dagster"), "dev", *_code()),
            *("-h", HOST, "-p", str(dagster_port), "--log-level", "warning"),
        ]
    }
    if mlflow.is_local:
        commands[mlflow.ui] = [
            *(str(bin_folder / "mlflow"), "server", "--workers", "1"),
            *("--host", HOST, "--port", mlflow.ui.rpartition(":")[2], "--uvicorn-opts", "--log-level warning"),
        ]
    _end_what_is_left()
    for address in commands:
        require_free(int(address.rpartition(":")[2]), f"DAGSTER_PORT=3001 MLFLOW_PORT=5001 {typed('dev')}")
    for asked_to_end in (signal.SIGINT, signal.SIGTERM):  # a script's background job would ignore SIGINT
        signal.signal(asked_to_end, signal.default_int_handler)
    servers: list[subprocess.Popen[bytes]] = []
    try:
        # each has its own process group: Ctrl-C reaches only this process, which ends each group with its children
        servers.extend(
            subprocess.Popen(command, cwd=project(), env=environment, start_new_session=True)
            for command in commands.values()
        )
        _note(servers)
        for address, server in zip(commands, servers, strict=True):
            _wait_for(int(address.rpartition(":")[2]), server)
        print(f"\nDagster  http://{HOST}:{dagster_port}\nMLflow   {mlflow.start}\nCtrl-C ends both.\n", flush=True)
        while all(server.poll() is None for server in servers):
            time.sleep(0.5)
        raise PipelineError("one of the two servers ended by itself; what it printed above says why.")
    except KeyboardInterrupt:
        return 0
    finally:
        _end(servers)


def _note(servers: list[subprocess.Popen[bytes]]) -> None:
    """Write down the servers, for the case that this process is killed and cannot end them."""
    started = {server.pid: psutil.Process(server.pid).create_time() for server in servers}
    (home() / _SERVERS).write_text(json.dumps({"by": this_process(), "servers": started}))


def _end_what_is_left() -> None:
    """End the servers of an earlier process that was killed; those of one that is alive stay."""
    with suppress(OSError, ValueError, KeyError):
        noted = json.loads((home() / _SERVERS).read_text())
        if not is_gone(noted["by"]):
            return
        for pid, created in noted["servers"].items():
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                if psutil.Process(int(pid)).create_time() == created:
                    os.killpg(int(pid), signal.SIGKILL)
                    psutil.Process(int(pid)).wait(GRACE_SECONDS)


def _code() -> tuple[str, str]:
    """What tells Dagster where the definitions are."""
    workspace = project() / "workspace.yaml"
    return ("-w", str(workspace)) if workspace.exists() else ("-m", "assets.definitions")


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
