"""Tells whether the process that began something is still there to end it.

A process is named as `<host>/<namespace>/<boot> <number> <start>`. Its number means something only in its namespace, of
which each container has its own, whatever the name of its host, and only until the machine starts again.
"""

import multiprocessing
import os
import socket
from pathlib import Path

import psutil

_PROC = Path("/proc")
_UNKNOWN = "-"
"""Stands for a namespace and a start of the machine where the system tells none."""
_STARTED = 19
"""The place, after the command's name in parentheses, of when a process was started: field 22 of its `stat`."""
_CLOCK_SECONDS = 86_400.0
"""A clock that was set may be wrong by so much about when a machine was started."""


def this_process() -> str:
    """Names this process: its machine, number and start."""
    return _named(os.getpid())


def process_of_run() -> str:
    """Names the process on which a run depends: this one, or the one that started it for a single step."""
    parent = multiprocessing.parent_process()
    return _named(os.getpid() if parent is None or parent.pid is None else parent.pid)


def _named(pid: int) -> str:
    # earlier versions look at the number only where the whole first word is their host's name
    return f"{socket.gethostname()}/{_namespace()}/{_boot()} {pid} {_start(pid)}"


def is_gone(process: str) -> bool:
    """Whether a process of this machine has ended; False for one of another machine or container, which is not seen."""
    place, _, rest = process.partition(" ")
    host, *where = place.rsplit("/", 2)
    if host != socket.gethostname():
        return False
    pid, _, start = rest.partition(" ")
    if len(where) < 2:
        return _was_before_this_boot(start)
    namespace, boot = where
    if namespace != _namespace():
        return False
    if boot != _boot():
        return True
    try:
        return _start(int(pid)) != start
    except psutil.NoSuchProcess:
        return True


def _was_before_this_boot(created: str) -> bool:
    """Whether a process is gone that an earlier version named: it may be of another container with this host's name."""
    return float(created) < float(psutil.boot_time()) - _CLOCK_SECONDS


def _namespace() -> str:
    """The namespace of the numbers of this process and its children, such as `pid:[4026531836]`."""
    try:
        return os.readlink(_PROC / "self" / "ns" / "pid")
    except OSError:
        return _UNKNOWN


def _boot() -> str:
    """What tells this start of the machine from all others."""
    try:
        return (_PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
    except OSError:
        return _UNKNOWN


def _start(pid: int) -> str:
    """When a process was started: in ticks since the machine was, which no change of the clock moves.

    Raises:
        psutil.NoSuchProcess: there is no such process.
    """
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[_STARTED]
    except (FileNotFoundError, ProcessLookupError):
        return f"{psutil.Process(pid).create_time():.0f}"
