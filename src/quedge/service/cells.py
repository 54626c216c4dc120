"""The cells that a service serves, each with an engine of its own, by the base station's name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from quedge.controller.controller import Controller
from quedge.controller.engine import Change, Engine, Pace, Standing
from quedge.controller.state import StateError, reason_of
from quedge.controller.state_folder import NAME, StateFolder

MAX_CELLS = 16
"""Largest number of base stations, unless another one is given."""


class Former(NamedTuple):
    """By whom a journal was served that is to be taken over.

    Attributes:
        fresh: makes such controllers.
        keeps_agent: whether its policy is the one that goes on; else only the queues are taken over.
    """

    fresh: Callable[[], Controller]
    keeps_agent: bool


OfBefore = Callable[[str], Former]
"""Gives the former of what is written in a journal; a ValueError says why there is none."""


class BadNameError(ValueError):
    """A base station's name that is not allowed, or one more base station than are served."""


class CellRegistry:
    """Engines by base station. Those with a journal stand where they stood; others begin with their first report.

    Args:
        fresh: makes a controller that stands at its beginning.
        state: where journals are; None where nothing survives.
        pace: how engines work; as `Pace` has it without.
        max_cells: largest number of base stations.
        allowed: the base stations that may report; all names where it is None.
        of_before: by whom journals were served that are to be taken over; without it, those of another scenario are
            refused.
        begins_anew: whether a cell whose journal cannot be used, since it is incomplete, foreign or damaged, is begun
            anew, the files set aside.
        is_ours: tells of a name whether the cell is this process' own, where several share the state; then it is they
            who count.

    Attributes:
        devices: number of devices of each cell when the service began; more may be added.
        on_start: who is told of an engine that begins later than the registry itself.
        migrated: cells that were taken over from another scenario, the queues kept.
        set_aside: where the files of cells that were begun anew are, by the base station's name.

    Raises:
        StateError: a journal cannot be used; the folder is free again.
    """

    def __init__(
        self,
        fresh: Callable[[], Controller],
        state: StateFolder | None,
        pace: Pace | None = None,
        max_cells: int = MAX_CELLS,
        begins_anew: bool = False,
        allowed: frozenset[str] | None = None,
        of_before: OfBefore | None = None,
        is_ours: Callable[[str], bool] | None = None,
    ) -> None:
        self._is_ours = is_ours
        self._of_before = of_before
        self.migrated: set[str] = set()
        self._fresh, self._state, self._max_cells, self._allowed = fresh, state, max_cells, allowed
        self._pace = Pace() if pace is None else pace
        self._engines: dict[str, Engine] = {}
        self._unavailable: dict[str, str] = {}  # why the journal of a cell cannot be opened now, a full disk, say
        self._folder_error: str | None = None
        self.on_start: Callable[[str, Engine], None] = lambda name, engine: None
        self.set_aside: dict[str, Path] = {}
        try:
            self.devices = fresh().devices  # what cannot be made is refused here
            for name in [] if state is None else state.names():
                if is_ours is None or is_ours(name):
                    self._restart(name, begins_anew)
            self._check_folder()
        except BaseException:
            self.close()
            raise

    @property
    def durability(self) -> str:
        """What an acknowledged frame survives; "none" without a state folder."""
        return "none" if self._state is None else self._state.durability.value

    def names(self) -> list[str]:
        """The base stations that are served."""
        return list(self._engines)

    def engine(self, name: str) -> Engine:
        """The engine of a base station, begun now where it is new.

        Raises:
            BadNameError: the name is not allowed, or there are too many.
            StateError, OSError: its journal cannot be opened or made.
        """
        if self._allowed is not None and name not in self._allowed:
            raise BadNameError(f"{name[:80]!r} is not allowed; it must be one of the service's base stations")
        if name not in self._engines:
            if not NAME.fullmatch(name):
                raise BadNameError(f"{name[:80]!r} is not allowed; it must be 1 to 64 letters, digits, '.', '_' or '-'")
            if not self._may_begin(name):
                raise BadNameError(
                    f"{name!r} is not allowed; {self._max_cells} base stations are served already, no more"
                )
            try:
                self._engines[name] = self._start(name)
            except (OSError, StateError) as error:
                if self._state is not None and name in self._state.names():
                    self._unavailable[name] = reason_of(error)
                else:
                    self._folder_error = f"{name}: {reason_of(error)}"
                raise
            self._unavailable.pop(name, None)
            self._folder_error = None
            self.on_start(name, self._engines[name])
        return self._engines[name]

    def released(self, name: str) -> Engine | None:
        """Have a cell no more, which another process is to have; its engine, to be closed, if it has one."""
        self._unavailable.pop(name, None)
        return self._engines.pop(name, None)

    def known(self, name: str) -> Engine:
        """The engine of a base station that has reported before.

        Raises:
            BadNameError: it has not.
            OSError: it has, and its journal cannot be opened now.
        """
        if name in self._unavailable:
            raise OSError(None, self._unavailable[name])
        if name not in self._engines:
            raise BadNameError(f"{name[:80]!r} is not allowed; it has not reported anything")
        return self._engines[name]

    def standings(self) -> list[tuple[str, Standing]]:
        """How the engines stand, by the base station's name; any thread may ask."""
        return [(name, engine.standing()) for name, engine in list(self._engines.items())]

    def change(self, change: Change, of_before: OfBefore) -> dict[str, Engine]:
        """Have cells that begin from now on be served under a change; those that have begun, for `Engine.migrate`.

        Journals that cannot be opened now are taken over once they can be; see the class.
        """
        self._fresh, self._of_before = change.fresh, of_before
        if self._state is not None:
            self._state.determined_by = change.determined_by
        return dict(self._engines)

    def health_error(self) -> str | None:
        """What is wrong, in words: with which cell, or with the state as a whole; None where all are well."""
        for name, engine in list(self._engines.items()):
            error = engine.health_error()
            if error is not None:
                return f"{name}: {error}"
        for name, error in list(self._unavailable.items()):
            return f"{name}: {error}"
        return self._folder_error

    def retry(self) -> None:
        """Try again to write where that failed: whether all is well again shows without a report."""
        for engine in self._engines.values():
            engine.retry()
        for name in list(self._unavailable):
            with suppress(OSError, StateError):
                self.engine(name)
        if self._folder_error is not None:
            self._check_folder()

    def close(self) -> None:
        """End all engines, each with a checkpoint."""
        for engine in self._engines.values():
            engine.close()
        if self._state is not None:
            self._state.close()

    def _may_begin(self, name: str) -> bool:
        """Whether a cell that has no engine may get one here."""
        if self._is_ours is not None:
            return self._is_ours(name)
        return name in self._unavailable or len(self._engines) + len(self._unavailable) < self._max_cells

    def _restart(self, name: str, begins_anew: bool) -> None:
        """Have a cell stand where its journal stands, now or once that can be opened."""
        try:
            self._engines[name] = self._start(name)
        except OSError as error:
            self._unavailable[name] = reason_of(error)
        except StateError:
            if not begins_anew or self._state is None:
                raise
            self.set_aside[name] = self._state.set_aside(name)
            self._engines[name] = self._start(name)

    def _check_folder(self) -> None:
        self._folder_error = None
        if self._state is not None:
            try:
                self._state.check_writable()
            except OSError as error:
                self._folder_error = f"the state folder: {error.strerror}"

    def _start(self, name: str) -> Engine:
        if self._state is None:
            return Engine(self._fresh, None, self._pace)
        fresh, under, change = self._fresh, self._state.determined_by, None
        before = None if self._of_before is None else self._state.determined_by_of(name)
        if before is not None and before != under and self._of_before is not None:
            try:
                former = self._of_before(before)
            except ValueError as error:
                raise StateError(f"{name}: cannot be taken over: {error}") from None
            fresh, under, change = former.fresh, before, Change(self._fresh, under, former.keeps_agent)
        journal = self._state.journal(name, under)
        try:
            engine = Engine(fresh, journal, self._pace, change=change)
        except BaseException as error:
            journal.close()
            if change is not None and isinstance(error, StateError):
                raise StateError(f"{error}; start and end it under what served it, then take it over") from None
            raise
        if change is not None:
            self.migrated.add(name)
        self._state.begins(name)
        return engine
