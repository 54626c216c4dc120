"""The cells that a service serves, each with an engine of its own, by the base station's name."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO

from quedge.controller.controller import Controller
from quedge.controller.engine import Engine, Pace
from quedge.controller.journal import Durability, Journal, StateError

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What a base station may be called."""


class BadNameError(ValueError):
    """A base station's name that is not allowed, or one more base station than are served."""


class StateFolder:
    """A folder with a journal a base station; no two services use one at the same time.

    It is made where it does not exist; for the other arguments see `Journal`.

    Raises:
        StateError: another service uses it.
        OSError: it cannot be made or written to.
    """

    def __init__(self, folder: Path, determined_by: str, durability: Durability) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._determined_by, self._durability = folder, determined_by, durability
        self._lock: IO[bytes] = open(folder / "lock", "ab")  # noqa: SIM115  (held as long as the service runs)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise StateError(f"{folder}: another service uses it; stop that one or choose another folder") from None

    @property
    def durability(self) -> Durability:
        """What an acknowledged frame survives."""
        return self._durability

    def journal(self, name: str) -> Journal:
        """The journal of a base station; errors as of `Journal`."""
        return Journal(self._folder / f"{name}.journal", name, self._determined_by, self._durability)

    def names(self) -> list[str]:
        """The base stations that have a journal."""
        return sorted(path.name.removesuffix(".journal") for path in self._folder.glob("*.journal"))

    def close(self) -> None:
        """Let others use the folder."""
        self._lock.close()


class CellRegistry:
    """Engines by base station. Those with a journal stand where they stood; others begin with their first report.

    Args:
        fresh: makes a controller that stands at its beginning.
        state: where journals are; None where nothing survives.
        pace: how engines work; as `Pace` has it without.
        max_cells: largest number of base stations.

    Raises:
        StateError: a journal cannot be used; the folder is free again.
        OSError: one cannot be read.
    """

    def __init__(
        self, fresh: Callable[[], Controller], state: StateFolder | None, pace: Pace | None = None, max_cells: int = 16
    ) -> None:
        self._fresh, self._state, self._max_cells = fresh, state, max_cells
        self._pace = Pace() if pace is None else pace
        self._engines: dict[str, Engine] = {}
        try:
            self.devices = fresh().devices
            for name in [] if state is None else state.names():
                self._engines[name] = self._start(name)
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
            StateError, OSError: its journal cannot be made.
        """
        if name not in self._engines:
            if not NAME.fullmatch(name):
                raise BadNameError(f"{name[:80]!r} is not allowed; it must be 1 to 64 letters, digits, '.', '_' or '-'")
            if len(self._engines) >= self._max_cells:
                raise BadNameError(
                    f"{name!r} is not allowed; {self._max_cells} base stations are served already, no more"
                )
            self._engines[name] = self._start(name)
        return self._engines[name]

    def known(self, name: str) -> Engine:
        """The engine of a base station that has reported before; a BadNameError where it has not."""
        if name not in self._engines:
            raise BadNameError(f"{name[:80]!r} is not allowed; it has not reported anything")
        return self._engines[name]

    def health_error(self) -> str | None:
        """Which engine has failed, in words; None where all are well."""
        ended = [name for name, engine in self._engines.items() if not engine.is_alive]
        return f"the engine of {ended[0]} has ended" if ended else None

    def close(self) -> None:
        """End all engines, each with a checkpoint."""
        for engine in self._engines.values():
            engine.close()
        if self._state is not None:
            self._state.close()

    def _start(self, name: str) -> Engine:
        if self._state is None:
            return Engine(self._fresh, None, self._pace)
        journal = self._state.journal(name)
        try:
            return Engine(self._fresh, journal, self._pace)
        except BaseException:
            journal.close()
            raise
