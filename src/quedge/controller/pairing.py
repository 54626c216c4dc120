"""Which of two services a state folder belongs to, the first or its standby, and who may take over from it."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import NamedTuple

from quedge.controller.journal import sync_folder
from quedge.controller.state import StateError

NAME = "pairing.json"


class Pairing(NamedTuple):
    """What the file in the folder says; it is on the disk before anybody acts on it.

    Attributes:
        is_standby: whether the folder is the copy of another service's, which has not been taken over.
        identity: the standby's, 16 hexadecimal digits, also once it has taken over; empty in a first's folder.
        may_take_over: identity of the standby that has all acknowledged frames, and may take over; empty for none.
    """

    is_standby: bool = False
    identity: str = ""
    may_take_over: str = ""

    @property
    def has_taken_over(self) -> bool:
        """Whether it was a standby's once."""
        return not self.is_standby and self.identity != ""


def new_pairing() -> Pairing:
    """A standby's that begins."""
    return Pairing(is_standby=True, identity=secrets.token_hex(8))


def read_pairing(folder: Path) -> Pairing:
    """What a folder's file says; that of a service without a standby where there is none.

    Raises:
        StateError: it is damaged.
        OSError: it cannot be read.
    """
    try:
        told = json.loads((folder / NAME).read_bytes())
        pairing = Pairing(**told)
    except FileNotFoundError:
        return Pairing()
    except (ValueError, TypeError):
        raise StateError(f"{folder / NAME}: is damaged") from None
    if [type(value) for value in pairing] != [bool, str, str]:
        raise StateError(f"{folder / NAME}: is damaged")
    return pairing


def write_pairing(folder: Path, pairing: Pairing) -> None:
    """Write it to the disk, all of it or nothing; an OSError where it cannot be."""
    making = folder / f"{NAME}-new"
    with making.open("w") as file:
        json.dump(pairing._asdict(), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(making, folder / NAME)
    sync_folder(folder)
