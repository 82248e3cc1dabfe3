"""What a process leaves that was killed."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path


def killed_database(path: Path) -> Path:
    """A database of SQLite as a process leaves it that is killed while it fills the empty table `sales`."""
    alive = path.with_name("alive.db")
    with closing(sqlite3.connect(alive, isolation_level=None)) as connection:
        connection.executescript("PRAGMA cache_size = 1; CREATE TABLE sales (buyer, item); BEGIN")
        rows = [(f"b{i}", "x" * 1000) for i in range(100)]  # more than it keeps in memory
        connection.executemany("INSERT INTO sales VALUES (?, ?)", rows)
        for end in ("", "-journal"):
            shutil.copyfile(f"{alive}{end}", f"{path}{end}")
    return path
