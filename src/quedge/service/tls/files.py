"""Certificates and keys from files, checked before gRPC gets them, and the credentials made of them."""

from __future__ import annotations

import contextlib
import datetime
import os
import ssl
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

Extension = TypeVar("Extension", bound=x509.ExtensionType)

_MAX_BYTES = 1 << 20
_LEAST_RSA_BITS = 2048
_TAKEN = f"gRPC takes ECDSA keys on P-256 or P-384 and RSA keys of {_LEAST_RSA_BITS} bits or more"
_CURVES = ("secp256r1", "secp384r1")
_OTHER_KINDS = {
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}
_OWNERS_ONLY, _OWNERS_AND_GROUPS = 0o077, 0o037  # bits of a mode that must not be set

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
"""What a certificate is for."""


class PemFile(NamedTuple):
    """A file, with the option or argument that named it, for messages."""

    option: str
    path: Path

    def refused(self, why: str) -> ValueError:
        """The error that says why the file cannot be used."""
        return ValueError(f"{self.option}: {self.path}: {why}")


class Identity(NamedTuple):
    """A certificate with its chain, and its key, as gRPC takes them; and when the first of the chain expires."""

    chain_pem: bytes
    key_pem: bytes
    expires: datetime.datetime


def read_identity(cert: PemFile, key: PemFile, use: x509.ObjectIdentifier) -> Identity:
    """A certificate, its chain and its key.

    Args:
        cert: the certificate, then those of the authorities between it and one that the peer knows.
        key: its key, PEM, not encrypted, for its owner only.
        use: `SERVER` or `CLIENT`.

    Raises:
        ValueError: one of them cannot be used; the message names option and file.
    """
    chain = _certificates(cert)
    leaf = chain[0]
    _check_key_kind(cert, leaf)
    if _is_authority(cert, leaf):
        raise cert.refused("is a CA's certificate; it must be one that the CA issued")
    _check_use(cert, leaf, use)
    for number, certificate in enumerate(chain, 1):
        _check_time(cert, certificate, "" if number == 1 else f"certificate {number} of it ")
    private = _private_key(key)
    if private.public_key() != leaf.public_key():
        raise key.refused(f"does not belong to the first certificate of {cert.path}")
    key_pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Identity(_pem(chain), key_pem, min(certificate.not_valid_after_utc for certificate in chain))


def read_authorities(file: PemFile) -> bytes:
    """Certificates of authorities, several in one file while one replaces another; those that expired are left out.

    Raises:
        ValueError: one is no authority's, or none is valid now; the message names option and file.
    """
    found, valid, refused = _certificates(file), [], None
    for certificate in found:
        if not _is_authority(file, certificate):
            raise file.refused(f"{_shown(certificate)} is not a CA's certificate")
        try:
            _check_time(file, certificate, "")
        except ValueError as error:
            refused = error
        else:
            valid.append(certificate)
    if refused is not None and not valid:
        raise refused
    return _pem(valid)


def _content(file: PemFile, is_secret: bool) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(file.path).st_mode):  # a pipe would have us wait
            raise file.refused("is not a file")
        with open(file.path, "rb") as opened:
            status = os.fstat(opened.fileno())
            data = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise file.refused(f"cannot be read: {error.strerror}") from None
    if is_secret and is_exposed(status.st_mode, status.st_uid):
        mode = stat.S_IMODE(status.st_mode)
        raise file.refused(f"others may read this secret (mode {mode:04o}); chmod 600 {file.path}")
    if len(data) > _MAX_BYTES:
        raise file.refused("is too large")
    return data


_MAX_TOKEN, _LEAST_TOKEN = 4096, 16


def read_token(file: PemFile) -> str:
    """A secret from a file, which is for its owner only, as a key is.

    Raises:
        ValueError: it cannot be read, others may read it, or it is none; the message names option and file.
    """
    token = _content(file, is_secret=True).decode("utf-8", "replace").strip()
    if not (_LEAST_TOKEN <= len(token) <= _MAX_TOKEN and token.isascii() and token.isprintable() and " " not in token):
        allowed = f"it must be one word of {_LEAST_TOKEN} to {_MAX_TOKEN} printable characters of ASCII"
        raise file.refused(f"has no token; {allowed}, such as `openssl rand -hex 32` gives")
    return token


def is_exposed(mode: int, owner: int) -> bool:
    """Whether others than its owner can get at a key; root may let a group read one, as mounted secrets are."""
    return bool(mode & (_OWNERS_AND_GROUPS if owner == 0 else _OWNERS_ONLY))


def _certificates(file: PemFile) -> list[x509.Certificate]:
    data = _content(file, is_secret=False)
    if b"-----BEGIN CERTIFICATE-----" not in data:
        raise file.refused("has no certificate in PEM form")
    try:
        return x509.load_pem_x509_certificates(data)
    except (ValueError, x509.InvalidVersion):
        raise file.refused("has a certificate that cannot be decoded") from None


def _private_key(file: PemFile) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    data = _content(file, is_secret=True)
    if b"PRIVATE KEY-----" not in data:
        raise file.refused("has no private key in PEM form")
    try:
        key = serialization.load_pem_private_key(data, None)
    except TypeError:
        raise file.refused("is encrypted; gRPC takes no passphrase: openssl pkey -in FILE -out PLAIN") from None
    except (ValueError, UnsupportedAlgorithm):
        raise file.refused("has a private key that cannot be decoded") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise file.refused(f"is a key of another kind; {_TAKEN}")
    return key


def _check_key_kind(file: PemFile, certificate: x509.Certificate) -> None:
    kind = certificate.public_key_algorithm_oid
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, ec.EllipticCurvePublicKey):
        is_taken, shown = key.curve.name in _CURVES, f"ECDSA on {key.curve.name}"
    elif isinstance(key, rsa.RSAPublicKey):
        is_taken, shown = key.key_size >= _LEAST_RSA_BITS, f"RSA of {key.key_size} bits"
    else:
        is_taken, shown = False, _OTHER_KINDS.get(kind.dotted_string, f"of kind {kind.dotted_string}")
    if not is_taken:
        raise file.refused(f"its key is {shown}; {_TAKEN}")


def _is_authority(file: PemFile, certificate: x509.Certificate) -> bool:
    constraints = _extension(file, certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _check_use(file: PemFile, certificate: x509.Certificate, use: x509.ObjectIdentifier) -> None:
    uses = _extension(file, certificate, x509.ExtendedKeyUsage)
    if uses is not None and use not in uses and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE not in uses:
        whom, name = ("servers", "serverAuth") if use == SERVER else ("clients", "clientAuth")
        raise file.refused(f"is not for {whom}; its extended key usage lacks {name}")


def _extension(file: PemFile, certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise file.refused("has a certificate that cannot be decoded") from None


def _check_time(file: PemFile, certificate: x509.Certificate, which: str) -> None:
    now = datetime.datetime.now(datetime.UTC)
    if certificate.not_valid_before_utc > now:
        raise file.refused(f"{which}is not valid before {_time(certificate.not_valid_before_utc)}; is the clock right?")
    if certificate.not_valid_after_utc < now:
        raise file.refused(f"{which}expired on {_time(certificate.not_valid_after_utc)}")


def _time(time: datetime.datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _shown(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()[:80] or "one without a name"


def _pem(certificates: list[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


class ServerCertificates:
    """A server's certificate and key, and the authorities of its clients, from files that may change.

    The files are looked at on each new connection. Once they have changed and pass all checks together they are used;
    until then, in the middle of a renewal say, what was read before stays in use. Open connections go on as they are.

    Args:
        cert: the server's certificate and its chain (`--tls-cert`).
        key: its key (`--tls-key`).
        client_ca: the authorities of clients (`--client-ca`).

    Raises:
        ValueError: a file cannot be used; the message names option and file.
    """

    def __init__(self, cert: Path, key: Path, client_ca: Path) -> None:
        self._cert, self._key = PemFile("--tls-cert", cert), PemFile("--tls-key", key)
        self._client_ca = PemFile("--client-ca", client_ca)
        self._lock = threading.Lock()
        self._refused = ""  # why what the files hold now is not used
        self._state = self._stamps()  # before they are read: a change meanwhile is seen the next time
        self._configuration, self._expires = self._read()

    def credentials(
        self,
        on_used: Callable[[datetime.datetime], None] = lambda expires: None,
        on_refused: Callable[[str], None] = lambda why: None,
        on_connection: Callable[[], None] = lambda: None,
    ) -> Any:
        """What gRPC takes, a `grpc.ServerCredentials`: only clients with a certificate of the authorities are answered.

        Args:
            on_used: called with the end of the certificate now, and of each one that takes its place; it is that of the
                chain where that ends sooner.
            on_refused: called once with why changed files are not used; like `on_used` from a thread of gRPC's.
            on_connection: called at the beginning of each connection, before its handshake, from such a thread.
        """

        def changed() -> Any:
            """What is in the files where that is new and can be used; None otherwise. gRPC wants no errors."""
            on_connection()
            with self._lock:
                state = self._stamps()
                if state == self._state:
                    return None
                try:
                    self._configuration, self._expires = self._read()
                except ValueError as error:
                    if str(error) != self._refused:
                        self._refused = str(error)
                        on_refused(self._refused)
                    return None
                self._state, self._refused = state, ""
                on_used(self._expires)
                return self._configuration

        on_used(self._expires)
        return grpc.dynamic_ssl_server_credentials(self._configuration, changed, require_client_authentication=True)

    def context(self, asks_for_certificate: bool) -> Callable[[], ssl.SSLContext]:
        """What gives the standard library's TLS of a server with these files, version 1.3, as renewed as they are.

        Clients have to show a certificate of the authorities if they are asked for one. Files that cannot be used stand
        back for those that were read before.
        """
        made, state = self._context(asks_for_certificate), self._stamps()
        lock = threading.Lock()

        def current() -> ssl.SSLContext:
            nonlocal made, state
            with lock:
                if (now := self._stamps()) != state:
                    with contextlib.suppress(OSError, ValueError):  # in the middle of a renewal
                        made, state = self._context(asks_for_certificate), now
                return made

        return current

    def _context(self, asks_for_certificate: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self._cert.path, self._key.path)
        if asks_for_certificate:
            context.load_verify_locations(cadata=read_authorities(self._client_ca).decode())
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _read(self) -> tuple[Any, datetime.datetime]:
        identity = read_identity(self._cert, self._key, SERVER)
        pairs = [(identity.key_pem, identity.chain_pem)]
        return grpc.ssl_server_certificate_configuration(pairs, read_authorities(self._client_ca)), identity.expires

    def _stamps(self) -> tuple[object, ...]:
        return tuple(_stamp(file.path) for file in (self._cert, self._key, self._client_ca))


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def channel_credentials(
    ca: Path, cert: Path | None = None, key: Path | None = None, names: tuple[str, str, str] = ("ca", "cert", "key")
) -> Any:
    """A client's `grpc.ChannelCredentials` from files, by the authorities of servers; they are read once.

    This service asks for the client's certificate, with its chain, and key; another may not. `names` is what messages
    call the three.

    Raises:
        ValueError: a file cannot be used, or one of `cert` and `key` is missing; the message names argument and file.
    """
    authorities = read_authorities(PemFile(names[0], ca))
    if cert is None and key is None:
        return grpc.ssl_channel_credentials(authorities)
    if cert is None or key is None:
        raise ValueError(f"{names[1]}, {names[2]}: one without the other is not allowed; give both or neither")
    identity = read_identity(PemFile(names[1], cert), PemFile(names[2], key), CLIENT)
    return grpc.ssl_channel_credentials(authorities, identity.key_pem, identity.chain_pem)
