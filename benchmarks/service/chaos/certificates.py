"""Certificates of the process and its clients, renewed while it runs; some of what is put in place has expired."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from quedge.service.tls.certificates import (
    Issued,
    Lifetime,
    authority,
    client_certificate,
    server_certificate,
    server_names,
)

_DAYS = 60  # more than clocks jump


class Certificates:
    """An authority, whose server certificate is put into a folder, and a client's.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._authority = folder, authority(_lifetime(-_DAYS, _DAYS))
        folder.mkdir()
        self._put("ca", self._authority)
        self._put("client", client_certificate(self._authority, "reporter", _lifetime(-_DAYS, _DAYS)))
        self.renew()

    @property
    def options(self) -> list[str]:
        """What the service is told."""
        files = (("--tls-cert", "server"), ("--tls-key", "server-key"), ("--client-ca", "ca"))
        return ["--any-name", *(word for option, name in files for word in (option, str(self._path(name))))]

    @property
    def of_client(self) -> dict[str, Any]:
        """What `Client` is told."""
        return {"ca": self._path("ca"), "certificate": self._path("client"), "key": self._path("client-key")}

    def renew(self, expired: bool = False) -> None:
        """Put another certificate of the server's in place, which has expired where that is asked for."""
        valid = _lifetime(-_DAYS, -_DAYS / 2) if expired else _lifetime(-_DAYS, _DAYS)
        self._put("server", server_certificate(self._authority, server_names([]), valid))

    def read(self, name: str) -> bytes:
        """A file."""
        return self._path(name).read_bytes()

    def _put(self, name: str, issued: Issued) -> None:
        for ending, data in (("-key", issued.key_pem), ("", issued.certificate_pem)):
            making = self._folder / "new"
            making.touch(0o600)
            making.write_bytes(data)
            making.replace(self._path(name + ending))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.pem"


def _lifetime(begins: float, ends: float) -> Lifetime:
    """From so many days from now to so many."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return Lifetime(now + datetime.timedelta(days=begins), now + datetime.timedelta(days=ends))
