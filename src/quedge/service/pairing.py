"""What a service has to do with a second one when it starts: it stands by, waits for its standby, or serves alone."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from quedge.controller.copies import Copies
from quedge.controller.journal import Durability
from quedge.controller.pairing import new_pairing, read_pairing, write_pairing
from quedge.controller.state import StateError
from quedge.controller.state_folder import locked, names_in
from quedge.service.basis import Basis
from quedge.service.monitoring.observers import Observer
from quedge.service.replication import Replication
from quedge.service.standby import End, First, Standby


class Pair(NamedTuple):
    """What a service has to do with a second one.

    Attributes:
        follows: whom it follows until it takes over; None for nobody.
        lease_s: where a standby may follow it, the time of silence after which that may take over no more; None where
            none may.
        is_alone: whether it is known that no standby has taken over.
    """

    follows: First | None = None
    lease_s: float | None = None
    is_alone: bool = False


def stood_by(
    pair: Pair, folder: Path, basis: Basis, reread: Callable[[], Basis], durability: Durability,
    observer: Observer,
) -> Basis | None:  # fmt: skip
    """Stand by until the service is to serve, where it is to stand by at all.

    Returns:
        What it serves then; None where it was told to end.

    Raises:
        StateError: the folder is not a standby's, or a standby's that shall serve, or the first is served otherwise.
        OSError: the folder cannot be read or written.
    """
    follows = pair.follows
    pairing = read_pairing(folder)
    if follows is None and pairing.is_standby:
        raise StateError(
            f"{folder}: is the copy of a standby; it must be given --standby-of, and is promoted by SIGUSR1"
        )
    if follows is None or pairing.has_taken_over:
        return basis
    if not pairing.is_standby:
        if folder.exists() and names_in(folder):
            raise StateError(f"{folder}: is the state of a first service; a standby must have a folder of its own")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pairing = new_pairing()
        write_pairing(folder, pairing)
    read = [basis]

    def determined_by() -> str:
        read.append(reread())
        return read[-1].determined_by

    with closing(Copies(folder, basis.determined_by, durability)) as copies:
        end = asyncio.run(Standby(follows, pairing.identity, copies, determined_by, observer).run())
        if end is End.PROMOTED:
            copies.renew()
        if end is not End.TOLD:
            copies.begin()
            write_pairing(folder, pairing._replace(is_standby=False))
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if end is End.TOLD:
        return None
    observer.standing_by("taken over" if end is End.TAKES_OVER else "promoted")
    return read[-1]


def replication_of(pair: Pair, folder: Path, observer: Observer) -> Replication | None:
    """What is done for a standby; None where none may follow.

    Raises:
        StateError: one that may have taken over is to be waited for, and none may follow; or another service runs.
        OSError: the folder cannot be read or written.
    """
    pairing = read_pairing(folder)
    if pairing.may_take_over and pair.is_alone:
        pairing = pairing._replace(may_take_over="")
        with closing(locked(folder)):  # not under a service that runs
            write_pairing(folder, pairing)
    if pair.lease_s is not None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Replication(folder, pair.lease_s, observer)
    if pairing.may_take_over:
        raise StateError(
            f"{folder}: its standby may have taken over; --allow-standby waits for it, and --alone says that it has not"
        )
    return None
