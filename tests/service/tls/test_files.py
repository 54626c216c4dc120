"""Each way in which a file cannot be used, and what is said of it."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.x509.oid import NameOID

from quedge.service.tls.certificates import Written
from quedge.service.tls.files import ServerCertificates, channel_credentials, is_exposed
from tests.service.tls.pki import EXPIRED, NOT_YET, serving, written

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | mldsa.MLDSA65PrivateKey


def secret(path: Path, data: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(data)
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path, 0o600)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def key_file(path: Path, key: Key) -> Path:
    return secret(path, key.private_bytes(PEM, PKCS8, serialization.NoEncryption()))


def self_signed(path: Path, key: Key) -> Path:
    """A certificate without any extension for a key of whatever kind, signed by a key on P-256."""
    signer = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "self")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    path.write_bytes(builder.sign(signer, hashes.SHA256()).public_bytes(PEM))
    return path


def refusal(cert: Path, key: Path, client_ca: Path) -> str:
    with pytest.raises(ValueError, match=r"^--") as caught:
        ServerCertificates(cert, key, client_ca).credentials()
    return str(caught.value)


@pytest.mark.parametrize("option", ["--tls-cert", "--tls-key", "--client-ca"])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path, "cannot be read: No such file or directory"),
        (folder, "is not a file"),
        (pipe, "is not a file"),
        (lambda path: secret(path, b""), "in PEM form"),
        (lambda path: secret(path, b"\x30\x82" + bytes(100)), "in PEM form"),
        (lambda path: secret(path, b"-" * (1 << 20) + b"-"), "too large"),
        (lambda path: path / "below", "cannot be read: No such file or directory"),
    ],
    ids=["missing", "folder", "pipe", "empty", "binary", "huge", "no folder"],
)
def test_what_is_no_pem_file_is_refused_by_option_and_name(
    tmp_path: Path, pki: Written, option: str, make: Callable[[Path], Path], said: str
) -> None:
    bad = make(tmp_path / "bad.pem")
    files = {"--tls-cert": pki.server.certificate, "--tls-key": pki.server.key, "--client-ca": pki.ca.certificate}
    cert, key, client_ca = {**files, option: bad}.values()
    message = refusal(cert, key, client_ca)
    assert message.startswith(f"{option}: {bad}: ")
    assert said in message


def test_damaged_pem_files_are_refused(tmp_path: Path, pki: Written) -> None:
    for option, path in (("--tls-cert", pki.server.certificate), ("--tls-key", pki.server.key)):
        lines = path.read_bytes().splitlines(keepends=True)
        bad = secret(tmp_path / f"{option}.pem", lines[0] + lines[2] + lines[-1])
        cert, key = {"--tls-cert": pki.server.certificate, "--tls-key": pki.server.key, option: bad}.values()
        assert "cannot be decoded" in refusal(cert, key, pki.ca.certificate)


def test_a_certificate_in_place_of_the_key_is_refused(tmp_path: Path, pki: Written) -> None:
    misplaced = secret(tmp_path / "key.pem", pki.server.certificate.read_bytes())
    said = refusal(pki.server.certificate, misplaced, pki.ca.certificate)
    assert said == f"--tls-key: {misplaced}: has no private key in PEM form"


def test_a_key_of_another_certificate_is_refused(pki: Written, other: Written) -> None:
    said = refusal(pki.server.certificate, other.server.key, pki.ca.certificate)
    wanted = f"does not belong to the first certificate of {pki.server.certificate}"
    assert said == f"--tls-key: {other.server.key}: {wanted}"


def test_an_encrypted_key_is_refused_with_how_to_mend_it(tmp_path: Path, pki: Written) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    data = key.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"secret"))
    said = refusal(pki.server.certificate, secret(tmp_path / "key.pem", data), pki.ca.certificate)
    assert "is encrypted; gRPC takes no passphrase: openssl pkey" in said


def test_a_key_that_others_may_read_is_refused_with_how_to_mend_it(tmp_path: Path, pki: Written) -> None:
    key = secret(tmp_path / "key.pem", pki.server.key.read_bytes())
    key.chmod(0o644)
    said = refusal(pki.server.certificate, key, pki.ca.certificate)
    assert said == f"--tls-key: {key}: others may read this secret (mode 0644); chmod 600 {key}"
    key.chmod(0o400)
    ServerCertificates(pki.server.certificate, key, pki.ca.certificate).credentials()


@pytest.mark.parametrize(
    ("mode", "owner", "exposed"),
    [(0o600, 1000, False), (0o400, 1000, False), (0o640, 1000, True), (0o640, 0, False), (0o440, 0, False),
     (0o660, 0, True), (0o644, 0, True), (0o604, 1000, True)],
)  # fmt: skip
def test_only_root_lets_a_group_read_a_key(mode: int, owner: int, exposed: bool) -> None:
    assert is_exposed(mode, owner) is exposed


def test_an_expired_certificate_is_refused(tmp_path: Path, pki: Written) -> None:
    old = written(tmp_path / "old", EXPIRED)
    said = refusal(*old.server, pki.ca.certificate)
    assert said == f"--tls-cert: {old.server.certificate}: expired on {EXPIRED.ends:%Y-%m-%d %H:%M:%S} UTC"
    assert refusal(*pki.server, old.ca.certificate).startswith(f"--client-ca: {old.ca.certificate}: expired on ")


def test_a_certificate_that_is_not_yet_valid_is_refused(tmp_path: Path, pki: Written) -> None:
    young = written(tmp_path / "young", NOT_YET)
    said = refusal(*young.server, pki.ca.certificate)
    wanted = f"is not valid before {NOT_YET.begins:%Y-%m-%d %H:%M:%S} UTC; is the clock right?"
    assert said == f"--tls-cert: {young.server.certificate}: {wanted}"


def test_an_expired_certificate_further_up_the_chain_is_refused(tmp_path: Path, pki: Written) -> None:
    chain = tmp_path / "chain.pem"
    old = written(tmp_path / "old", EXPIRED)
    chain.write_bytes(pki.server.certificate.read_bytes() + old.ca.certificate.read_bytes())
    assert f"--tls-cert: {chain}: certificate 2 of it expired" in refusal(chain, pki.server.key, pki.ca.certificate)


def test_a_chain_is_served(tmp_path: Path, pki: Written) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_bytes(pki.server.certificate.read_bytes() + pki.ca.certificate.read_bytes())
    with serving(ServerCertificates(chain, pki.server.key, pki.ca.certificate).credentials()) as service:
        client = channel_credentials(pki.ca.certificate, *pki.clients["base-station"])
        assert service.answer(client) == "answered"


def test_a_ca_certificate_is_no_servers(pki: Written) -> None:
    said = refusal(*pki.ca, pki.ca.certificate)
    assert said == f"--tls-cert: {pki.ca.certificate}: is a CA's certificate; it must be one that the CA issued"


def test_a_clients_certificate_is_no_servers(pki: Written) -> None:
    said = refusal(*pki.clients["base-station"], pki.ca.certificate)
    assert "is not for servers; its extended key usage lacks serverAuth" in said


def test_a_servers_certificate_is_no_authoritys(pki: Written) -> None:
    said = refusal(*pki.server, pki.server.certificate)
    assert said == f"--client-ca: {pki.server.certificate}: CN=quedge is not a CA's certificate"


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (mldsa.MLDSA65PrivateKey.generate, "ML-DSA-65"),
        (ed25519.Ed25519PrivateKey.generate, "Ed25519"),
        (lambda: ec.generate_private_key(ec.SECP521R1()), "ECDSA on secp521r1"),
        (lambda: rsa.generate_private_key(65537, 1024), "RSA of 1024 bits"),
    ],
    ids=["ML-DSA", "Ed25519", "P-521", "short RSA"],
)
def test_keys_that_grpc_refuses_are_refused_before(
    tmp_path: Path, pki: Written, make: Callable[[], Key], shown: str
) -> None:
    key = make()
    cert = self_signed(tmp_path / "cert.pem", key)
    said = refusal(cert, key_file(tmp_path / "key.pem", key), pki.ca.certificate)
    taken = "gRPC takes ECDSA keys on P-256 or P-384 and RSA keys of 2048 bits or more"
    assert said == f"--tls-cert: {cert}: its key is {shown}; {taken}"


def test_a_key_of_a_kind_that_grpc_refuses_is_refused_for_itself(tmp_path: Path, pki: Written) -> None:
    key = key_file(tmp_path / "key.pem", mldsa.MLDSA65PrivateKey.generate())
    said = refusal(pki.server.certificate, key, pki.ca.certificate)
    assert said.startswith(f"--tls-key: {key}: is a key of another kind; gRPC takes ECDSA keys")


@pytest.mark.parametrize(
    "make",
    [lambda: ec.generate_private_key(ec.SECP384R1()), lambda: rsa.generate_private_key(65537, 2048)],
    ids=["P-384", "RSA"],
)
def test_a_certificate_without_extensions_is_taken(tmp_path: Path, pki: Written, make: Callable[[], Key]) -> None:
    key = make()
    ServerCertificates(
        self_signed(tmp_path / "cert.pem", key), key_file(tmp_path / "key.pem", key), pki.ca.certificate
    ).credentials()


def test_a_client_names_its_arguments(tmp_path: Path, pki: Written) -> None:
    client = pki.clients["base-station"]
    with pytest.raises(ValueError, match=rf"^ca: {client.certificate}: CN=base-station is not a CA's"):
        channel_credentials(client.certificate, *client)
    with pytest.raises(ValueError, match=r"^cert: .* is not for clients; .* lacks clientAuth"):
        channel_credentials(pki.ca.certificate, *pki.server)
    with pytest.raises(ValueError, match=rf"^key: {pki.server.key}: does not belong"):
        channel_credentials(pki.ca.certificate, client.certificate, pki.server.key)
