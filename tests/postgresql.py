"""A real PostgreSQL for the tests: its own cluster in a temporary folder, with a password, gone when the tests end."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

USER, PASSWORD = "tester", "planted-Secret-7"


def binaries() -> Path | None:
    """The folder with PostgreSQL's programs; None if it is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max((path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None)


@contextmanager
def server(port: int) -> Iterator[str]:
    """The address of a running server, without the name of a database; it listens on this machine only."""
    programs = binaries()
    assert programs is not None
    with TemporaryDirectory(prefix="postgresql-") as name:
        folder = Path(name)
        (folder / "password").write_text(PASSWORD)
        prefix = []
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            prefix = ["runuser", "-u", "postgres", "--"]
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres")

        def call(program: str, *arguments: str) -> None:
            subprocess.run([*prefix, str(programs / program), *arguments], check=True, capture_output=True, cwd=folder)

        cluster = str(folder / "cluster")
        access = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={folder / 'password'}"]
        call("initdb", "-D", cluster, "-E", "UTF8", "--no-sync", *access)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
        call("pg_ctl", "-D", cluster, "-o", options, "-l", str(folder / "log"), "-w", "-t", "600", "start")
        try:
            yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}"
        finally:
            call("pg_ctl", "-D", cluster, "-m", "immediate", "stop")
