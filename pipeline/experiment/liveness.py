"""Tells whether the process that began something is still there to end it."""

import multiprocessing
import os
import socket

import psutil


def this_process() -> str:
    """Names this process: its machine, number and start."""
    return _named(os.getpid())


def process_of_run() -> str:
    """Names the process on which a run depends: this one, or the one that started it for a single step."""
    parent = multiprocessing.parent_process()
    return _named(os.getpid() if parent is None or parent.pid is None else parent.pid)


def _named(pid: int) -> str:
    return f"{socket.gethostname()} {pid} {psutil.Process(pid).create_time():.0f}"


def is_gone(process: str) -> bool:
    """Whether a process of this machine has ended; False for a process of another machine, which cannot be seen."""
    host, _, rest = process.partition(" ")
    if host != socket.gethostname():
        return False
    pid, _, created = rest.partition(" ")
    try:
        return f"{psutil.Process(int(pid)).create_time():.0f}" != created
    except psutil.NoSuchProcess:
        return True
