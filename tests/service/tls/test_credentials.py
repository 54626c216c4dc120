"""Who is answered over TLS, and who is not; and that renewed files are used without a restart."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import socket
import ssl
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from quedge.service.tls.certificates import Issued, Place, Written, client_certificate, lifetime, server_certificate
from quedge.service.tls.files import ServerCertificates, channel_credentials
from tests.service.tls.pki import EXPIRED, Service, serving, written


def unchecked(ca: Path, client: Place | None) -> grpc.ChannelCredentials:
    """Credentials of a client that does not look at what it shows."""
    if client is None:
        return grpc.ssl_channel_credentials(ca.read_bytes())
    return grpc.ssl_channel_credentials(ca.read_bytes(), client.key.read_bytes(), client.certificate.read_bytes())


def client_of(pki: Written) -> grpc.ChannelCredentials:
    return channel_credentials(pki.ca.certificate, *pki.clients["base-station"])


def authority_of(pki: Written) -> Issued:
    key = serialization.load_pem_private_key(pki.ca.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Issued(x509.load_pem_x509_certificate(pki.ca.certificate.read_bytes()), key)


def test_a_client_with_a_certificate_is_answered(service: Service, pki: Written) -> None:
    assert service.answer(client_of(pki)) == "answered"


def test_the_server_is_reached_by_name_too(service: Service, pki: Written) -> None:
    assert service.answer(client_of(pki), host="localhost") == "answered"


def test_a_client_without_a_certificate_is_not_answered(service: Service, pki: Written) -> None:
    assert service.answer(unchecked(pki.ca.certificate, None)) == "UNAVAILABLE"


def test_a_client_in_plain_text_is_not_answered(service: Service) -> None:
    assert service.answer(None) == "UNAVAILABLE"


def test_a_client_of_another_authority_is_not_answered(service: Service, pki: Written, other: Written) -> None:
    stranger = unchecked(pki.ca.certificate, other.clients["base-station"])
    assert service.answer(stranger) == "UNAVAILABLE"


def test_a_client_whose_certificate_expired_is_not_answered(tmp_path: Path, pki: Written) -> None:
    old = written(tmp_path / "old", EXPIRED)
    both = tmp_path / "both.pem"
    both.write_bytes(old.ca.certificate.read_bytes() + pki.ca.certificate.read_bytes())
    with serving(ServerCertificates(*pki.server, both).credentials()) as service:
        assert service.answer(unchecked(pki.ca.certificate, old.clients["base-station"])) == "UNAVAILABLE"
        assert service.answer(client_of(pki)) == "answered"


def test_an_expired_certificate_of_an_authority_that_is_still_valid_is_not_answered(
    service: Service, pki: Written
) -> None:
    expired = client_certificate(authority_of(pki), "late", EXPIRED)
    credentials = grpc.ssl_channel_credentials(
        pki.ca.certificate.read_bytes(), expired.key_pem, expired.certificate_pem
    )
    assert service.answer(credentials) == "UNAVAILABLE"


def test_a_servers_certificate_is_no_clients(service: Service, pki: Written) -> None:
    assert service.answer(unchecked(pki.ca.certificate, pki.server)) == "UNAVAILABLE"


def test_a_client_does_not_talk_to_a_server_of_another_name(tmp_path: Path, pki: Written) -> None:
    named = server_certificate(authority_of(pki), [x509.DNSName("edge.example")], lifetime(1))
    place = Place(tmp_path / "server.pem", tmp_path / "server-key.pem")
    place.key.touch(0o600)
    place.certificate.write_bytes(named.certificate_pem)
    place.key.write_bytes(named.key_pem)
    with serving(ServerCertificates(*place, pki.ca.certificate).credentials()) as service:
        assert service.answer(client_of(pki)) == "UNAVAILABLE"
        assert service.peers == []
        assert service.answer(client_of(pki), named="edge.example") == "answered"


def test_a_client_does_not_talk_to_a_server_of_another_authority(
    service: Service, pki: Written, other: Written
) -> None:
    met = len(service.peers)
    assert service.answer(unchecked(other.ca.certificate, pki.clients["base-station"])) == "UNAVAILABLE"
    assert len(service.peers) == met


def test_renewed_files_are_used_without_a_restart(tmp_path: Path, pki: Written, other: Written) -> None:
    served = tmp_path / "served"
    shutil.copytree(pki.ca.certificate.parent, served)
    used: list[datetime.datetime] = []
    refused: list[str] = []
    files = ServerCertificates(served / "server.pem", served / "server-key.pem", served / "ca.pem")
    with serving(files.credentials(used.append, refused.append)) as service:
        assert service.answer(client_of(pki)) == "answered"
        for name in ("server.pem", "server-key.pem", "ca.pem"):
            os.replace(shutil.copy2(other.ca.certificate.parent / name, tmp_path / "new"), served / name)
            if name == "server.pem":  # half of a renewal changes nothing
                assert [service.answer(client_of(pki)) for _ in range(2)] == ["answered", "answered"]
        assert service.answer(client_of(other)) == "answered"
        assert service.answer(client_of(pki)) == "UNAVAILABLE"
        (served / "server.pem").write_text("nonsense")
        assert [service.answer(client_of(other)) for _ in range(2)] == ["answered", "answered"]
        (served / "server.pem").unlink()
        assert service.answer(client_of(other)) == "answered"
    assert used == [pki.valid.ends, other.valid.ends]
    assert len(refused) == 3  # each once, however many connect meanwhile
    assert "--tls-key" in refused[0]
    assert "has no certificate in PEM form" in refused[1]
    assert "cannot be read" in refused[2]


def test_old_and_new_clients_are_answered_while_both_authorities_are_known(
    tmp_path: Path, pki: Written, other: Written
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(pki.ca.certificate.read_bytes() + other.ca.certificate.read_bytes())
    with serving(ServerCertificates(*pki.server, both).credentials()) as service:
        newer = unchecked(pki.ca.certificate, other.clients["base-station"])
        assert [service.answer(client) for client in (client_of(pki), newer)] == ["answered", "answered"]


def test_a_session_of_a_dropped_authority_is_not_resumed(tmp_path: Path, pki: Written, other: Written) -> None:
    served = tmp_path / "served.pem"
    shutil.copy2(pki.ca.certificate, served)
    context = ssl.create_default_context(cafile=str(pki.ca.certificate))
    context.load_cert_chain(*map(str, pki.clients["base-station"]))
    context.set_alpn_protocols(["h2"])

    def connected(session: ssl.SSLSession | None) -> tuple[bytes, ssl.SSLSession | None]:
        with (
            socket.create_connection(("127.0.0.1", service.port), 5) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as secure,
        ):
            return secure.recv(1), secure.session

    with serving(ServerCertificates(*pki.server, served).credentials()) as service:
        first, session = connected(None)
        assert (first, connected(session)[0]) == (b"\0", b"\0")
        os.replace(shutil.copy2(other.ca.certificate, tmp_path / "new"), served)
        with contextlib.suppress(ssl.SSLError):
            assert connected(session)[0] == b""
