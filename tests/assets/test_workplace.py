"""Folders for what is on disk meanwhile: gone with the command, or with the next one where it was killed."""

import subprocess
import sys
from pathlib import Path

from assets.workplace import workplace

PROJECT = Path(__file__).parents[2]
HOLDS = """
import sys
from pathlib import Path
from assets.workplace import workplace
with workplace(Path(sys.argv[1])) as folder:
    (folder / "records").mkdir()
    print("ready", flush=True)
    sys.stdin.read()
"""


def at_work(beside: Path) -> subprocess.Popen[str]:
    """A process that works beside some files, until its input ends."""
    command = [sys.executable, "-c", HOLDS, str(beside)]
    process = subprocess.Popen(command, cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_what_a_killed_process_left_goes_with_the_next_one_and_what_is_in_use_stays(tmp_path: Path) -> None:
    (tmp_path / ".scoring-by-hand").mkdir()
    (tmp_path / "new.csv").touch()
    killed = at_work(tmp_path)
    (left,) = (path for path in tmp_path.iterdir() if (path / "process").exists())
    alive = at_work(tmp_path)
    killed.kill()
    killed.communicate()
    assert left.exists()
    with workplace(tmp_path) as folder:
        assert not left.exists()
        assert not [*folder.iterdir()]
        assert len([*tmp_path.glob(".scoring-*")]) == 3
    alive.communicate()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".scoring-by-hand", "new.csv"]
