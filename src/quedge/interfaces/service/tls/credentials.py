"""What gRPC takes as credentials: both sides show a certificate, always. A server's are read again when they change."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quedge.model.extras import check_installed


def server_credentials(
    cert: Path, key: Path, client_ca: Path, told: Callable[[str], None] = lambda message: None
) -> Any:
    """Credentials of a server that answers only clients with a certificate of an authority it knows.

    The files are looked at on each new connection. Once they have changed and pass all checks together they are used;
    until then, in the middle of a renewal say, what was read before stays in use. Open connections go on as they are.

    Args:
        cert: the server's certificate and its chain (`--tls-cert`).
        key: its key (`--tls-key`).
        client_ca: the authorities of clients (`--client-ca`).
        told: called with a line on what became of changed files, from a thread of gRPC's.

    Returns:
        A `grpc.ServerCredentials`.

    Raises:
        ValueError: a file cannot be used; the message names option and file.
        MissingExtraError: gRPC or cryptography is not installed.
    """
    _check_libraries()
    import grpc

    files = _ServerFiles(cert, key, client_ca, told)
    return grpc.dynamic_ssl_server_credentials(files.begin(), files.changed, require_client_authentication=True)


def channel_credentials(
    ca: Path, cert: Path | None = None, key: Path | None = None, names: tuple[str, str, str] = ("ca", "cert", "key")
) -> Any:
    """Credentials of a client; they are read once.

    Args:
        ca: the authorities of servers.
        cert: the client's certificate and its chain; this service asks for one, another may not.
        key: its key.
        names: what messages call the three.

    Returns:
        A `grpc.ChannelCredentials`.

    Raises:
        ValueError: a file cannot be used, or one of `cert` and `key` is missing; the message names argument and file.
        MissingExtraError: gRPC or cryptography is not installed.
    """
    _check_libraries()
    import grpc

    from quedge.interfaces.service.tls.files import CLIENT, Given, read_authorities, read_identity

    authorities = read_authorities(Given(names[0], ca))
    if cert is None and key is None:
        return grpc.ssl_channel_credentials(authorities)
    if cert is None or key is None:
        raise ValueError(f"{names[1]}, {names[2]}: one without the other is not allowed; give both or neither")
    identity = read_identity(Given(names[1], cert), Given(names[2], key), CLIENT)
    return grpc.ssl_channel_credentials(authorities, identity.key_pem, identity.chain_pem)


def certificate_valid_until(cert: Path) -> datetime.datetime:
    """When a server's certificate, or the first of its chain, expires; for logs and metrics.

    Raises:
        ValueError: the file cannot be used; the message names option and file.
        MissingExtraError: cryptography is not installed.
    """
    _check_libraries()
    from quedge.interfaces.service.tls.files import Given, valid_until

    return valid_until(Given("--tls-cert", cert))


def _check_libraries() -> None:
    check_installed("grpc", "the service", "grpcio", "serve")
    check_installed("cryptography", "TLS", "cryptography", "serve")


class _ServerFiles:
    """A server's three files, and whether they have changed since they were read."""

    def __init__(self, cert: Path, key: Path, client_ca: Path, told: Callable[[str], None]) -> None:
        self._cert, self._key, self._client_ca, self._told = cert, key, client_ca, told
        self._lock = threading.Lock()
        self._read: tuple[object, ...] = ()
        self._complaint = ""

    def begin(self) -> Any:
        """What is in the files; a ValueError where they cannot be used."""
        self._read = self._state()  # before they are read: a change meanwhile is seen the next time
        return self._configuration()

    def changed(self) -> Any:
        """What is in the files where that is new and can be used; None otherwise. gRPC wants no errors."""
        with self._lock:
            state = self._state()
            if state == self._read:
                return None
            try:
                configuration = self._configuration()
            except ValueError as error:
                if str(error) != self._complaint:
                    self._complaint = str(error)
                    self._told(f"changed certificates are not used: {error}")
                return None
            self._read, self._complaint = state, ""
            self._told("changed certificates are used from now on")
            return configuration

    def _configuration(self) -> Any:
        import grpc

        from quedge.interfaces.service.tls.files import SERVER, Given, read_authorities, read_identity

        identity = read_identity(Given("--tls-cert", self._cert), Given("--tls-key", self._key), SERVER)
        authorities = read_authorities(Given("--client-ca", self._client_ca))
        return grpc.ssl_server_certificate_configuration([(identity.key_pem, identity.chain_pem)], authorities)

    def _state(self) -> tuple[object, ...]:
        return tuple(map(_stamp, (self._cert, self._key, self._client_ca)))


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
