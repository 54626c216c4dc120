"""`quedge tls-init`: certificates for trying the service over TLS."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quedge.cli.options import AsJson, integer_option, parse_path
from quedge.cli.usage import UsageError, refusing
from quedge.errors import check_installed, not_allowed

if TYPE_CHECKING:
    from quedge.service.tls.certificates import Place, Written

_NAME = re.compile(r"(?!.*-key$)[A-Za-z0-9._-]{1,64}")
_MAX_DAYS = 397  # what public authorities are held to


def tls_init(
    folder: Annotated[
        Path, typer.Argument(parser=parse_path, metavar="DIR", help="Where to write; made if it does not exist.")
    ],
    hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            metavar="NAME_OR_ADDRESS",
            help="Name or address of the server, besides localhost. Can be given again.",
        ),
    ] = None,
    days: Annotated[int, integer_option(1, _MAX_DAYS, "Days for which all of it is valid.")] = 30,
    clients: Annotated[
        list[str] | None,
        typer.Option("--client", metavar="NAME", help="A client; without it, base-station. Can be given again."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a certificate authority for tests, a server's certificate and one for each client.

    Keys are ECDSA on P-256, since gRPC refuses ML-DSA certificates; the key exchange of a connection still has ML-KEM
    in it, so that what is recorded today cannot be read with a quantum computer later. Nothing is overwritten.
    """
    check_installed("cryptography", "quedge tls-init", "cryptography", "serve")
    names = clients or ["base-station"]
    with refusing():
        _check_clients(names)
    if not os.path.isdir(folder.absolute().parent):
        raise UsageError(f"{folder}: no such folder: {folder.parent}")
    from quedge.service.tls.certificates import lifetime, write_folder

    try:
        with refusing("--host"):
            written = write_folder(folder, hosts or (), names, lifetime(days))
    except FileExistsError as error:
        raise UsageError(f"{error.filename}: exists already; choose another folder") from None
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: cannot be written: {error.strerror}") from None
    if as_json:
        print(json.dumps(_as_object(written), allow_nan=False))
    else:
        _print(written)


def _check_clients(names: list[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            allowed = "1 to 64 letters, digits, '.', '_' or '-', and not end in '-key'"
            raise not_allowed("--client", name, allowed)
        if names.count(name) > 1:
            raise ValueError(f"--client: {name!r} is given twice")


def _as_object(written: Written) -> dict[str, object]:
    return {
        "ca": _pair(written.ca),
        "server": {**_pair(written.server), "names": written.server_names},
        "clients": {name: _pair(place) for name, place in written.clients.items()},
        "valid_from": written.valid.begins.isoformat(),
        "valid_until": written.valid.ends.isoformat(),
    }


def _pair(place: Place) -> dict[str, object]:
    return {"certificate": str(place.certificate), "key": str(place.key)}


def _print(written: Written) -> None:
    lines = [("authority", written.ca), ("server", written.server)]
    lines += [(f"client {name}", place) for name, place in written.clients.items()]
    for name, place in lines:
        print(f"{name:<24}{place.certificate}, {place.key}")
    print(f"{'server names':<24}{', '.join(written.server_names)}")
    print(f"{'valid until':<24}{written.valid.ends:%Y-%m-%d %H:%M} UTC")
    print(
        f"\nquedge serve --tls-cert {written.server.certificate} --tls-key {written.server.key} "
        f"--client-ca {written.ca.certificate}"
    )
