import signal
from collections.abc import Callable

import pytest

from pipeline.network.processes import interruptible


class Interrupts:
    """Ctrl-C comes while it is finalised, where Python ignores what is raised."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def done_before_it_is_interrupted(is_alone: bool, *steps: Callable[[], object], checks: bool = True) -> int:
    """How many steps are done until an interruption is raised."""
    done = 0

    def train() -> None:
        nonlocal done
        with interruptible(is_alone) as check:
            for step in steps:
                step()
                done += 1
                if checks:
                    check()

    with pytest.raises(KeyboardInterrupt):
        train()
    return done


def test_an_interruption_in_a_finaliser_is_raised_after_the_step() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert done_before_it_is_interrupted(True, Interrupts, Interrupts) == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interruption_does_not_wait_and_one_after_the_last_step_is_not_lost() -> None:
    assert done_before_it_is_interrupted(True, ctrl_c, ctrl_c, ctrl_c, checks=False) == 1
    assert done_before_it_is_interrupted(True, ctrl_c, checks=False) == 1


def test_a_process_that_waits_for_others_is_interrupted_at_once() -> None:
    assert done_before_it_is_interrupted(False, ctrl_c) == 0


def test_lightning_s_exit_is_an_interruption() -> None:
    def leave() -> None:
        raise SystemExit(1)

    assert done_before_it_is_interrupted(True, leave) == 0
