"""A folder with an authority for tests, a server's certificate and clients' certificates: all of it or nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from quedge.interfaces.service.tls.certificates import (
    Issued,
    Lifetime,
    authority,
    client_certificate,
    server_certificate,
    server_names,
)

_FOLDER_MODE, _SECRET_MODE, _PUBLIC_MODE = 0o700, 0o600, 0o644


class Place(NamedTuple):
    """Where a certificate and its key stand."""

    certificate: Path
    key: Path


class Written(NamedTuple):
    """What was written, and where.

    Attributes:
        ca: the authority.
        server: the server.
        clients: the clients by name.
        server_names: names and addresses of the server's certificate.
        valid: from when to when all of it is valid.
    """

    ca: Place
    server: Place
    clients: dict[str, Place]
    server_names: list[str]
    valid: Lifetime


def write_folder(folder: Path, hosts: Sequence[str], clients: Sequence[str], valid: Lifetime) -> Written:
    """Make an authority, a server's certificate and one for each client, and write them; nothing is overwritten.

    Args:
        folder: made where it does not exist; the folder above must.
        hosts: the server's names and addresses besides those of loopback.
        clients: names, each once.
        valid: from when to when.

    Raises:
        ValueError: a host is not allowed.
        FileExistsError: a file exists already; its `filename` says which.
        OSError: it cannot be written; what had been written is gone again.
    """
    names = server_names(hosts)
    ca = authority(valid)
    places = {name: _place(folder, name) for name in ("ca", "server", *(f"client-{client}" for client in clients))}
    issued = {"ca": ca, "server": server_certificate(ca, names, valid)}
    issued |= {f"client-{client}": client_certificate(ca, client, valid) for client in clients}
    _write(folder, [(places[name], issued[name]) for name in places])
    return Written(
        places["ca"],
        places["server"],
        {client: places[f"client-{client}"] for client in clients},
        [str(name.value) for name in names],
        valid,
    )


def _place(folder: Path, name: str) -> Place:
    return Place(folder / f"{name}.pem", folder / f"{name}-key.pem")


def _write(folder: Path, pairs: Sequence[tuple[Place, Issued]]) -> None:
    files = [(place.certificate, issued.certificate_pem, _PUBLIC_MODE) for place, issued in pairs]
    files += [(place.key, issued.key_pem, _SECRET_MODE) for place, issued in pairs]
    for path, _, _ in files:
        if os.path.lexists(path):
            raise FileExistsError(None, "exists already", str(path))
    made: list[Path] = []
    made_folder = not os.path.isdir(folder)
    if made_folder:
        folder.mkdir(_FOLDER_MODE)
    try:
        for path, data, mode in files:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                made.append(path)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            for path in made:
                path.unlink()
            if made_folder:
                folder.rmdir()
        raise
