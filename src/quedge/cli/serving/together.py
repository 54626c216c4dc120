"""Which options of `quedge serve` go together."""

from __future__ import annotations

import sys
from pathlib import Path

from quedge.controller.state_folder import NAME
from quedge.errors import not_allowed


def check_state_options(given: dict[str, bool], has_state: bool) -> None:
    """Refuse options about the state where there is none, and beside --standby-of; the ValueError names the option."""
    for option, is_given in given.items():
        if is_given and not has_state:
            raise ValueError(f"{option}: is not allowed without --state, the folder of the cells that it is about")
    for option in ("--new", "--alone"):
        if given[option] and given["--standby-of"]:
            raise ValueError(f"{option}: is not allowed beside --standby-of; a standby has what the first one has")


def check_several(state: Path | None, given: dict[str, bool]) -> None:
    """Refuse what several processes cannot have, of what is given; the ValueError names it."""
    if sys.platform != "linux":
        raise ValueError("--processes: is not allowed here; only Linux shares connections out among processes")
    if state is None:
        raise ValueError("--processes: is not allowed without --state, by which cells go from one process to another")
    for option, is_given in given.items():
        if is_given:
            raise ValueError(f"{option}: is not allowed with --processes; it is for a service of one process")


def allowed_stations(stations: list[str], most: int) -> frozenset[str] | None:
    """The base stations that may report; None for all.

    Raises:
        ValueError: a name that none may have, or more of them than are served.
    """
    for name in stations:
        if not NAME.fullmatch(name):
            raise not_allowed("--station", name, "1 to 64 letters, digits, '.', '_' or '-'")
    if len({*stations}) > most:
        raise not_allowed(
            "--max-stations", most, f"at least {len({*stations})}, the number of names given by --station"
        )
    return frozenset(stations) if stations else None
