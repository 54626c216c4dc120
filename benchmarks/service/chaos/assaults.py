"""What is done to the process, drawn from a seed."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np

from benchmarks.service.chaos import crowds
from benchmarks.service.chaos.arena import Arena
from benchmarks.service.chaos.child import UnplannedError, until
from benchmarks.service.chaos.settling import Settling
from quedge.controller.state_folder import journal_files, journal_path
from quedge.service.client.client import ReportRefused, ServiceUnavailable

DOOMED = "cellar"
"""The base station whose files are removed for good."""
CLOCK_S = 1e6


class Assaults:
    """Does one thing after another; some of them while a fault lasts.

    Args:
        arena: where.
        rng: what is drawn from.
        settlings: cells whose journals are looked at whenever the process has ended.
    """

    def __init__(self, arena: Arena, rng: np.random.Generator, settlings: list[Settling]) -> None:
        self._arena, self._rng, self._settlings = arena, rng, settlings
        self._is_full, self._names = False, 0
        quick: list[tuple[Callable[[], None], int]] = [
            (self.kill, 6), (self.kill_at_start, 2), (self.end, 3), (self.pause, 4), (self.hang_up, 2),
            (self.migrate, 4), (self.lose_reader, 1), (self.jump_clock, 2),
        ]  # fmt: skip
        if arena.certificates is not None:
            quick.append((self.renew, 4))
        quick += [(self._crowd(crowd), 2) for crowd in CROWDS]
        self._quick = quick
        lasting: list[Callable[[], AbstractContextManager[None]]] = [self.full_disk, self.file_away, self.read_only]
        self._all = [*quick, (self.lose_files, 2), *((self._lasting(fault), 4) for fault in lasting)]

    def one(self) -> None:
        """Do one thing."""
        self._drawn(self._all)()

    def kill(self) -> None:
        """`kill -9` and a start."""
        self._arena.begin_assault("kill -9")
        self._arena.child.kill()
        self._begin()

    def kill_at_start(self) -> None:
        """`kill -9`, and once more while it starts, or just after."""
        self._arena.begin_assault("kill -9 at a start")
        self._arena.child.kill()
        self._arena.child.begin_and_kill(float(self._rng.uniform(0.0, 5.0)), is_full=self._is_full)
        self._begin()

    def end(self) -> None:
        """SIGTERM and a start; now and then it is paused when the signal comes, and has reports to read first."""
        self._arena.begin_assault("SIGTERM")
        self._arena.child.end(paused=bool(self._rng.random() < 0.3))
        self._begin()

    def pause(self) -> None:
        """SIGSTOP, and SIGCONT after a while."""
        self._arena.begin_assault("SIGSTOP")
        self._arena.child.send(signal.SIGSTOP)
        time.sleep(float(self._rng.uniform(0.05, 1.0)))
        self._arena.child.send(signal.SIGCONT)

    def hang_up(self) -> None:
        """SIGHUP, with nothing changed."""
        self._arena.begin_assault("SIGHUP")
        self._arena.child.send(signal.SIGHUP)

    def migrate(self) -> None:
        """SIGHUP with a changed scenario."""
        self._arena.begin_assault("SIGHUP with a changed scenario")
        self._arena.change_scenario(self._rng)
        self._arena.child.send(signal.SIGHUP)

    def lose_reader(self) -> None:
        """Whoever reads its log goes away."""
        self._arena.begin_assault("log's reader gone")
        self._arena.child.close_log()

    def jump_clock(self) -> None:
        """The wall's clock is put forward or back by days, where libfaketime is there."""
        jumps = self._arena.child.clock_jumps
        self._arena.begin_assault("clock put forward or back" if jumps else "no jump of the clock: no libfaketime here")
        self._arena.child.move_clock(float(self._rng.uniform(-CLOCK_S, CLOCK_S)))

    def renew(self) -> None:
        """Renew the certificate; half of the time one that has expired is put in its place before, and not used."""
        arena = self._arena
        assert arena.certificates is not None
        for expired in (True, False)[int(self._rng.integers(2)) :]:
            arena.begin_assault("certificate put in place that has expired" if expired else "certificate renewed")
            arena.certificates.renew(expired)
            with arena.client("north") as client:
                client.state()  # a new connection, of which it takes notice

    def lose_files(self) -> None:
        """Files of one cell are removed for good: noticed while it runs, refused at a start, begun anew where asked."""
        arena, child = self._arena, self._arena.child
        if not journal_path(child.state, DOOMED).exists():
            return
        arena.begin_assault("files removed for good")
        arena.may_be_fresh.add(DOOMED)
        doomed = journal_files(child.state, DOOMED)
        keeps_last = self._rng.random() < 0.6
        for file in doomed:
            if not (keeps_last and file.name.endswith("-last")):
                file.unlink(missing_ok=True)
        until(lambda: _is_unwell(arena, DOOMED), "that files are gone")
        (child.kill if self._rng.random() < 0.5 else child.end)()
        if keeps_last:
            told = child.refuses_to_begin()
            arena.check("--new" in told, f"a state that lacks files is refused by: {told}")
            arena.count("starts refused, of a state that lacks files")
        child.begin("--new", is_full=self._is_full)

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """The disk is full for a while, also for a process that is started meanwhile."""
        self._arena.begin_assault("disk full")
        self._is_full = True
        self._arena.child.fill_disk(True)
        try:
            yield
        finally:
            self._is_full = False
            self._arena.begin_assault("disk has space")
            self._arena.child.fill_disk(False)

    @contextmanager
    def file_away(self) -> Iterator[None]:
        """A file of a cell's is gone for a while, and the service says so."""
        arena = self._arena
        files = [file for name in ("north", "roof") for file in journal_files(arena.child.state, name)]
        files = [file for file in files if not file.name.endswith("-shm")]
        if not files:
            yield
            return
        file = files[int(self._rng.integers(len(files)))]
        arena.begin_assault(f"{file.name} unlinked")
        away = file.with_name("away")
        file.rename(away)
        try:
            until(lambda: arena.child.health()[0] != 200, f"that {file.name} is gone")
            time.sleep(float(self._rng.uniform(0.0, 0.5)))
        finally:
            arena.begin_assault(f"{file.name} is back")
            away.rename(file)
        yield

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Nothing can be made in the folder for a while: a new cell is refused, and the service says so."""
        arena = self._arena
        arena.begin_assault("folder read-only")
        os.chmod(arena.child.state, 0o500)
        try:
            self._ask_as_new_one()
            yield
        finally:
            arena.begin_assault("folder writable")
            os.chmod(arena.child.state, 0o700)

    def _ask_as_new_one(self) -> None:
        arena = self._arena
        if self._names >= 40:  # of the stations that are allowed
            return
        self._names += 1
        try:
            with arena.client(f"late-{self._names}") as client:
                client.decide(0, [1e-11], [1.0], devices=[0])
        except ReportRefused as refused:
            status = arena.child.health()[0]
            arena.check(refused.outcome == "NOT_DURABLE", f"a new cell in a read-only folder: {refused.outcome}")
            arena.check(status != 200, "a new cell was refused in a read-only folder, and /healthz says well")
            arena.count("new cells refused in a read-only folder")
        except ServiceUnavailable:
            return
        else:
            raise UnplannedError("a new cell was served in a folder that is read-only")

    def _begin(self) -> None:
        for settling in self._settlings:
            settling.look(is_running=False)
        self._arena.child.begin(is_full=self._is_full)

    def _lasting(self, fault: Callable[[], AbstractContextManager[None]]) -> Callable[[], None]:
        def lasts() -> None:
            with fault():
                if self._rng.random() < 0.6:
                    self._drawn(self._quick)()
                time.sleep(float(self._rng.uniform(0.0, 1.0)))

        return lasts

    def _crowd(self, crowd: Callable[[Arena, np.random.Generator], None]) -> Callable[[], None]:
        def come() -> None:
            self._arena.begin_assault(crowd.__name__.replace("_", " "))
            with contextlib.suppress(ConnectionError):
                crowd(self._arena, self._rng)

        return come

    def _drawn(self, among: list[tuple[Callable[[], None], int]]) -> Callable[[], None]:
        weights = np.array([weight for _, weight in among], dtype=float)
        return among[int(self._rng.choice(len(among), p=weights / weights.sum()))][0]


CROWDS = (
    crowds.flood_web, crowds.foreign_pages, crowds.silent_connections, crowds.garbage, crowds.refused_reports,
    crowds.half_open,
)  # fmt: skip


def _is_unwell(arena: Arena, name: str) -> bool:
    status, told = arena.child.health()
    return status == 503 and name in told
