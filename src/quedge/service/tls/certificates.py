"""A certificate authority for tests, its certificates, and the folder that holds them."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""The names that every server certificate has."""

_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_MAX_NAME_CHARACTERS = 253
_SLACK = datetime.timedelta(minutes=5)  # for clocks that go wrong a little


class Lifetime(NamedTuple):
    """From when to when certificates are valid."""

    begins: datetime.datetime
    ends: datetime.datetime


class Issued(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as a file has it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key as a file has it: PKCS#8, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def lifetime(days: float) -> Lifetime:
    """From a few minutes ago to some days from now."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return Lifetime(now - _SLACK, now + datetime.timedelta(days=days))


def authority(valid: Lifetime) -> Issued:
    """A new authority, which issues certificates for servers and clients but makes no further authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"quedge test CA {secrets.token_hex(4)}")  # old and new ones may stand in one file
    usage = _key_usage(issues=True)
    builder = _builder(subject, subject, key.public_key(), valid)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    return Issued(builder.sign(key, hashes.SHA256()), key)


def server_certificate(issuer: Issued, names: Sequence[x509.GeneralName], valid: Lifetime) -> Issued:
    """A certificate for a server that is reached under these names."""
    alternatives = x509.SubjectAlternativeName(names)
    return _leaf(issuer, "quedge", ExtendedKeyUsageOID.SERVER_AUTH, valid, alternatives)


def client_certificate(issuer: Issued, name: str, valid: Lifetime) -> Issued:
    """A certificate for a client of this common name."""
    return _leaf(issuer, name, ExtendedKeyUsageOID.CLIENT_AUTH, valid)


def server_names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    """Names and addresses as a certificate has them, those of loopback first and none twice.

    Raises:
        ValueError: one is neither a host name nor an address.
    """
    return list(dict.fromkeys(_general_name(host) for host in (*LOOPBACK, *hosts)))


def _general_name(host: str) -> x509.GeneralName:
    labels = host.split(".")
    try:
        return x509.IPAddress(ipaddress.ip_address(host if "%" not in host else ""))
    except ValueError:
        is_name = len(host) <= _MAX_NAME_CHARACTERS and all(map(_LABEL.fullmatch, labels))
        if not is_name or labels[-1].isdigit():
            raise ValueError(
                f"{host[:80]!r} is not allowed; it must be a host name in ASCII or an IP address"
            ) from None
        return x509.DNSName(host.lower())


def _leaf(
    issuer: Issued,
    name: str,
    use: x509.ObjectIdentifier,
    valid: Lifetime,
    alternatives: x509.SubjectAlternativeName | None = None,
) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    above = issuer.certificate
    identifier = above.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = _builder(_name(name), above.subject, key.public_key(), valid)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(issues=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
    )
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=False)
    return Issued(builder.sign(issuer.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, valid: Lifetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid.begins)
        .not_valid_after(valid.ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(issues: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues,
        key_cert_sign=issues,
        crl_sign=issues,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
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

    The folder is made where it does not exist, the one above it must. Hosts are the server's names and addresses
    besides those of loopback.

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
