"""What stands in the certificates of `quedge tls-init`."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from quedge.service.tls.certificates import (
    Issued,
    authority,
    client_certificate,
    lifetime,
    server_certificate,
    server_names,
)

CA = authority(lifetime(1))
SERVER = server_certificate(CA, server_names(["edge.example", "192.0.2.7"]), lifetime(1))
CLIENT = client_certificate(CA, "bs-1", lifetime(1))
ALL = pytest.mark.parametrize("issued", [CA, SERVER, CLIENT], ids=["ca", "server", "client"])


def extension(issued: Issued, kind: Any) -> Any:
    return issued.certificate.extensions.get_extension_for_class(kind)


def test_the_authority_issues_no_further_authorities() -> None:
    found = extension(CA, x509.BasicConstraints)
    assert (found.critical, found.value.ca, found.value.path_length) == (True, True, 0)
    usage = extension(CA, x509.KeyUsage)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.digital_signature) == (True, True, False)


@pytest.mark.parametrize(
    ("issued", "use"),
    [(SERVER, ExtendedKeyUsageOID.SERVER_AUTH), (CLIENT, ExtendedKeyUsageOID.CLIENT_AUTH)],
    ids=["server", "client"],
)
def test_a_leaf_is_for_one_use_and_issues_nothing(issued: Issued, use: x509.ObjectIdentifier) -> None:
    assert list(extension(issued, x509.ExtendedKeyUsage).value) == [use]
    assert not extension(issued, x509.BasicConstraints).value.ca
    usage = extension(issued, x509.KeyUsage)
    assert (usage.critical, usage.value.digital_signature, usage.value.key_cert_sign) == (True, True, False)
    identifier = extension(issued, x509.AuthorityKeyIdentifier).value.key_identifier
    assert identifier == extension(CA, x509.SubjectKeyIdentifier).value.digest


@ALL
def test_keys_are_ecdsa_on_p_256_as_grpc_takes_them(issued: Issued) -> None:
    key = issued.certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert issued.key.public_key() == key


@ALL
def test_certificates_begin_a_few_minutes_back(issued: Issued) -> None:
    age = datetime.datetime.now(datetime.UTC) - issued.certificate.not_valid_before_utc
    assert datetime.timedelta(minutes=4) < age < datetime.timedelta(hours=1)
    assert issued.certificate.not_valid_after_utc - issued.certificate.not_valid_before_utc > datetime.timedelta(days=1)


def test_serial_numbers_are_long_and_differ() -> None:
    numbers = {issued.certificate.serial_number for issued in (CA, SERVER, CLIENT)}
    assert len(numbers) == 3
    assert min(numbers) > 1 << 100


def test_authorities_have_names_of_their_own() -> None:
    assert authority(lifetime(1)).certificate.subject != CA.certificate.subject


def test_a_clients_common_name_is_the_clients() -> None:
    (name,) = CLIENT.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "bs-1"


def test_an_independent_verifier_accepts_the_server_under_each_of_its_names() -> None:
    """Strictly after RFC 5280, which is stricter than what gRPC's library checks."""
    store = Store([CA.certificate])
    for name in server_names(["edge.example", "192.0.2.7"]):
        assert isinstance(name, x509.DNSName | x509.IPAddress)
        PolicyBuilder().store(store).build_server_verifier(name).verify(SERVER.certificate, [])


def test_names_are_those_of_loopback_and_the_given_ones_none_twice() -> None:
    names = [str(name.value) for name in server_names(["Edge.example", "127.0.0.1", "2001:DB8::1", "edge.example"])]
    assert names == ["localhost", "127.0.0.1", "::1", "edge.example", "2001:db8::1"]


@pytest.mark.parametrize(
    "host",
    ["", "-edge", "edge-", "a b", "edge..example", "edge.", "é.example", "*.example", "256.0.0.1", "10.0.0",
     "fe80::1%lo", "a" * 64, ".".join(["a" * 60] * 5), "https://edge"],
)  # fmt: skip
def test_what_is_neither_a_host_name_nor_an_address_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="must be a host name in ASCII or an IP address"):
        server_names([host])
