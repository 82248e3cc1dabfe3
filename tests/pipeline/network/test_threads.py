from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_info

from pipeline.network.threads import CoreTimes, FreeCores, core_times, idle_cores, one_thread, threads_for


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("others", "threads"), [(0.0, 4), (0.4, 4), (1.0, 3), (2.6, 1), (4.0, 1), (9.0, 1)])
def test_a_step_gets_as_many_threads_as_cores_are_free(others: float, threads: int) -> None:
    """In ten seconds of four cores this process worked for eight, and others for `others` seconds a second."""
    looks = iter([CoreTimes(100, 5000, 300), CoreTimes(110, 5008 + 10 * others, 308)])
    chooser = FreeCores(4, lambda: next(looks), cores=4)
    chooser.adjust()
    assert torch.get_num_threads() == threads


def test_threads_come_back_when_the_cores_are_free_again() -> None:
    looks = iter([CoreTimes(0, 0, 0), CoreTimes(2, 4, 1), CoreTimes(4, 6, 3), CoreTimes(6, 8, 5)])
    chooser = FreeCores(2, lambda: next(looks), cores=2)
    found = []
    for _ in range(3):
        chooser.adjust()
        found.append(torch.get_num_threads())
    assert found == [1, 2, 2]


def test_the_system_counts_what_this_process_does() -> None:
    before = core_times()
    while core_times().own < before.own + 0.05:
        sum(range(10_000))
    after = core_times()
    assert after.wall > before.wall
    assert after.all >= before.all


def test_short_steps_get_one_thread_and_the_number_of_before_is_restored() -> None:
    torch.set_num_threads(2)
    with threads_for(True) as choosers:
        assert (torch.get_num_threads(), choosers) == (1, [])
    with threads_for(False) as choosers:
        assert torch.get_num_threads() == 2
        assert [type(one) for one in choosers] == [FreeCores]
    torch.set_num_threads(1)
    with threads_for(False) as choosers:
        assert choosers == []
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(("busy", "idle"), [(0.0, 4), (0.4, 4), (1.0, 3), (3.7, 0), (4.0, 0)])
def test_the_cores_that_nothing_uses_are_idle(busy: float, idle: int) -> None:
    """In ten seconds of four cores, this process and others worked for `busy` seconds a second."""
    looks = iter([CoreTimes(100, 5000, 300), CoreTimes(110, 5000 + 10 * busy, 302)])
    assert idle_cores(lambda: next(looks), 0.0, cores=4) == idle


def test_on_one_thread_no_library_takes_more_and_the_numbers_of_before_are_restored() -> None:
    torch.set_num_threads(2)
    before = [pool["num_threads"] for pool in threadpool_info()]
    with one_thread():
        assert torch.get_num_threads() == 1
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert torch.get_num_threads() == 2
    assert [pool["num_threads"] for pool in threadpool_info()] == before
