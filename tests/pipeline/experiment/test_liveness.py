import socket
import subprocess
import sys

import psutil
import pytest

from pipeline.experiment.liveness import is_gone, this_process

TELLS = "from pipeline.experiment.liveness import this_process; print(this_process(), flush=True); input()"


def test_a_process_is_gone_once_it_has_ended() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", TELLS], text=True, **pipes) as other:
        assert other.stdout is not None
        name = other.stdout.readline().strip()
        assert not is_gone(name)
        other.communicate("\n")
    assert is_gone(name)
    assert not is_gone(this_process())


def test_a_number_that_was_given_to_another_process_is_none_of_it() -> None:
    place, number, start = this_process().split()
    assert is_gone(f"{place} {number} {int(float(start)) - 1}")


def test_what_cannot_be_seen_is_not_gone() -> None:
    """A process of another machine, and of another container with the name of this one's host."""
    place, _, start = this_process().split()
    host, namespace, boot = place.split("/")
    assert is_gone(f"{host}/{namespace}/{boot} 999999999 {start}")
    assert not is_gone(f"other-{host}/{namespace}/{boot} 999999999 {start}")
    assert not is_gone(f"{host}/pid:[1]/{boot} 999999999 {start}")
    assert not is_gone("")


def test_nothing_outlives_the_start_of_its_machine() -> None:
    place, number, start = this_process().split()
    host, namespace, _ = place.split("/")
    assert is_gone(f"{host}/{namespace}/00000000-0000-0000-0000-000000000000 {number} {start}")


def test_a_clock_that_is_set_ends_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    name, created = this_process(), psutil.Process().create_time()
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: created + 3600)
    assert not is_gone(name)
    assert this_process() == name


def test_a_process_that_an_earlier_version_named_is_gone_only_where_that_is_certain() -> None:
    """Such a name tells no container, so that its number may be that of another one's process."""
    host, booted = socket.gethostname(), psutil.boot_time()
    assert not is_gone(f"{host} {psutil.Process().pid} {psutil.Process().create_time():.0f}")
    assert not is_gone(f"{host} 999999999 {booted + 10:.0f}")
    assert is_gone(f"{host} 999999999 {booted - 30 * 86_400:.0f}")
