"""Pieces of fits that wait to be done, by this process or by others that help it."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, NamedTuple, Self, TypeVar

from pipeline.experiment.helpers import helpers, idle_cores

T = TypeVar("T")
Piece = Callable[..., T]
"""Gets a logger, and whether to show the progress of what it does; it can be pickled."""

WORTH = 2.0
"""Seconds that all waiting pieces together have to take before other processes are started."""
LOOK = 1.0
"""Seconds between two looks whether a core has become idle."""
PATIENCE = 5.0
"""Seconds of waiting for other processes, after which a line says so."""


class _Done(NamedTuple):
    """A piece that is done."""

    result: Any
    lines: list[tuple[int, str]]
    """Level and text of what another process wrote to its log."""
    error: BaseException | None = None
    """Why it could not be done."""


class PieceQueue:
    """The pieces of several fits, in the order in which this process comes to the fits.

    Other processes take pieces of the first fit that has some left, from its back. So they are ahead while this process
    does what only it can do, such as to keep a finished fit. They are started once pieces have waited for a while and a
    core is idle, and stay for the next queue. A context: when it has ended, nobody works on its pieces any more.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        """Guards what follows and the pieces, and hears of each change."""
        self._is_over = False
        self._fits: list[Pieces[Any]] = []
        self._lenders: list[threading.Thread] = []
        self._began = 0.0
        self._cores = _IdleCores()

    def put(self, pieces: Sequence[Piece[T]], processes: int, own: int = 0) -> "Pieces[T]":
        """The pieces of one more fit, which wait from now on.

        Args:
            pieces: what to do.
            processes: the most processes, this one included.
            own: so many of the first pieces are done by this process in any case: they need not be pickled.
        """
        with self.changed:
            made = Pieces(self, pieces, processes, own)
            self._fits.append(made)
            return made

    def begin(self) -> None:
        """Let others begin as well, because this process has begun."""
        with self.changed:
            pieces = sum(one.n_for_others for one in self._fits)
            most = min(max(one.processes for one in self._fits) - 1, pieces)
            new = range(len(self._lenders), most)
            self._began = self._began or time.monotonic()
            self._lenders += [threading.Thread(target=self._lend, args=(i + 2,), daemon=True) for i in new]
            started = self._lenders[new.start :]
            self.changed.notify_all()
        for lender in started:
            lender.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.changed:
            self._is_over = True
            is_unfinished = any(one.n_lent for one in self._fits)
            self.changed.notify_all()
        if is_unfinished:
            helpers.end()
        for lender in self._lenders:
            lender.join()

    def _lend(self, processes: int) -> None:
        """Let another process do pieces that so many processes may share; the thread ends with the process."""
        while self._finds_work(processes):
            while (taken := self._taken(processes)) is not None:
                pieces, i = taken
                try:
                    pieces.come_in(i, helpers.result(_elsewhere, pieces.pieces[i]))
                except BrokenProcessPool:  # the system ended it, for want of memory perhaps
                    helpers.end()
                    pieces.come_back(i)
                    return
                except BaseException as error:
                    pieces.come_in(i, _Done(None, [], error))

    def _finds_work(self, processes: int) -> bool:
        """Wait for a piece, a process that is ready and an idle core; False when all is over."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self._is_over or self._first(processes))
                if self._is_over:
                    return False
            if self._cores.take_one():
                if helpers.is_ready:
                    return True
                if time.monotonic() - self._began > WORTH / len(self._lenders):
                    helpers.start(len(self._lenders))
            with self.changed:
                self.changed.wait_for(lambda: self._is_over, LOOK / 4)

    def _taken(self, processes: int) -> "tuple[Pieces[Any], int] | None":
        """The next piece for another process, which it has taken; None if there is none."""
        with self.changed:
            pieces = None if self._is_over else self._first(processes)
            return None if pieces is None else (pieces, pieces.lend())

    def _first(self, processes: int) -> "Pieces[Any] | None":
        """The pieces of the first fit that has some for another process, if so many may share them."""
        return next((one for one in self._fits if one.processes >= processes and one.n_for_others), None)


class Pieces(Generic[T]):
    """The pieces of one fit."""

    def __init__(self, queue: PieceQueue, pieces: Sequence[Piece[T]], processes: int, own: int) -> None:
        self.pieces, self.processes, self.n_lent = pieces, processes, 0
        self._queue, self._own = queue, own
        self._waiting, self._done = deque(range(len(pieces))), dict[int, _Done]()
        self._was_lost = False

    @property
    def n_for_others(self) -> int:
        """The number of waiting pieces that others may do."""
        return sum(i >= self._own for i in self._waiting)

    def lend(self) -> int:
        """The number of the last piece that waits, which another process has taken now."""
        self.n_lent += 1
        return self._waiting.pop()

    def come_in(self, i: int, done: _Done) -> None:
        """Piece i is done by another process."""
        with self._queue.changed:
            self.n_lent -= 1
            self._done[i] = done
            self._queue.changed.notify_all()

    def come_back(self, i: int) -> None:
        """Piece i is not done: the process that worked on it is gone."""
        with self._queue.changed:
            self.n_lent -= 1
            self._was_lost = True
            self._waiting = deque(sorted([*self._waiting, i]))
            self._queue.changed.notify_all()

    def done(self, name: str, log: logging.Logger, shows_progress: bool = True, **here: Any) -> list[T]:
        """What the pieces return, in their order. This process does those that wait, from the front.

        Args:
            name: what they are pieces of, for people.
            log: gets the lines of all pieces; those of other processes come after the end, without progress.
            shows_progress: whether the pieces that this process does show their progress.
            here: what else these pieces get.

        Raises:
            Exception: what a piece has raised.
        """
        while (i := self._next(name, log)) is not None:
            self._done[i] = _Done(self.pieces[i](log, shows_progress, **here), [])
        if self._was_lost:
            log.warning(f"{name}: another process that helped was ended by the system; this one goes on")
        for i in sorted(self._done):
            for level, line in self._done[i].lines:
                log.log(level, line)
        results = [self._done[i].result for i in range(len(self.pieces))]
        self._done, self.pieces = {}, ()  # they may be large, and the queue still has fits to come
        return results

    def _next(self, name: str, log: logging.Logger) -> int | None:
        """The next piece for this process; None when all are done."""
        changed = self._queue.changed
        with changed:
            i = self._waiting.popleft() if self._waiting else None
        self._queue.begin()
        if i is None and not self._have_come(PATIENCE):
            log.info(f"{name}: this process has done its share, and waits for the others")
            self._have_come(None)
        with changed:
            failed = next((done.error for done in self._done.values() if done.error), None)
            if failed is not None:
                raise failed
            return i if i is not None else self._waiting.popleft() if self._waiting else None

    def _have_come(self, patience: float | None) -> bool:
        """Wait until all lent pieces have come in, or one of them has come back or failed; whether they have."""

        def have_come() -> bool:
            return not self.n_lent or bool(self._waiting) or any(done.error for done in self._done.values())

        with self._queue.changed:
            return self._queue.changed.wait_for(have_come, patience)


class _IdleCores:
    """The cores that have nothing to do, by a look that is not old; several threads may take one each."""

    def __init__(self) -> None:
        self._left, self._looked, self._lock = 0, 0.0, threading.Lock()

    def take_one(self) -> bool:
        """Whether there was a core left, which is taken now."""
        with self._lock:
            if self._left <= 0 or time.monotonic() - self._looked > LOOK:
                self._left, self._looked = idle_cores(), time.monotonic()
            self._left -= 1
            return self._left >= 0


def _elsewhere(piece: Piece[Any]) -> _Done:
    """A piece that is done in another process, with the lines that it wrote to its log."""
    lines: list[tuple[int, str]] = []
    log = logging.Logger("elsewhere")
    log.addHandler(handler := logging.Handler())
    handler.emit = lambda record: lines.append((record.levelno, record.getMessage()))  # type: ignore[method-assign]
    return _Done(piece(log, False), lines)
