"""Clients over TLS: what their arguments must be, and who is answered."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import grpc
import pytest

from quedge.service.client.async_client import AsyncClient
from quedge.service.client.client import Client, ServiceUnavailable
from quedge.service.tls.certificates import Written
from quedge.service.tls.files import ServerCertificates, channel_credentials
from tests.service.service_under_test import Service


def test_tls_arguments_that_do_not_go_together_are_refused(pki: Written) -> None:
    file = pki.ca.certificate
    for arguments in ({"certificate": file}, {"key": file}, {"certificate": file, "key": file}):
        with pytest.raises(ValueError, match=r"^certificate, key: are not allowed without ca"):
            Client("127.0.0.1:1", **arguments)
    for arguments in ({"certificate": file}, {"key": file}):
        with pytest.raises(ValueError, match=r"^certificate, key: one without the other is not allowed"):
            Client("127.0.0.1:1", ca=file, **arguments)
    with pytest.raises(ValueError, match=r"^ca: is not allowed beside credentials"):
        Client("127.0.0.1:1", credentials=grpc.ssl_channel_credentials(), ca=file)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_tls_files_are_refused_by_argument_and_name(tmp_path: Path, pki: Written, kind: type[Client]) -> None:
    missing, own = tmp_path / "missing.pem", pki.clients["base-station"]
    good = {"ca": pki.ca.certificate, "certificate": own.certificate, "key": own.key}
    for argument in good:
        with pytest.raises(ValueError, match=rf"^{argument}: {missing}: cannot be read: No such file"):
            kind("127.0.0.1:1", **{**good, argument: missing})


def test_tls_on_both_sides(pki: Written) -> None:
    own = pki.clients["base-station"]
    with Service(credentials=ServerCertificates(*pki.server, pki.ca.certificate).credentials()) as secured:
        files = {"ca": os.fspath(pki.ca.certificate), "certificate": own.certificate, "key": own.key}
        with Client(secured.target, **files) as controller, controller.stream() as frames:
            assert frames.decide(0, [1e-10] * 3, [0.0] * 3).frame == 0

        async def play() -> int:
            async with AsyncClient(secured.target, **files) as controller:
                return await controller.next_frame()

        assert asyncio.run(play()) == 1
        for without in (Client(secured.target), Client(secured.target, ca=pki.ca.certificate)):
            with without as controller, pytest.raises(ServiceUnavailable, match=r"TLS|connection was lost"):
                controller.state()


def test_a_service_that_asks_for_no_certificate_is_known_by_its_authority(pki: Written, other: Written) -> None:
    pair = (pki.server.key.read_bytes(), pki.server.certificate.read_bytes())
    with Service(credentials=grpc.ssl_server_credentials([pair])) as secured:
        with Client(secured.target, ca=pki.ca.certificate) as controller:
            assert controller.next_frame() == 0
        with (
            Client(secured.target, ca=other.ca.certificate) as stranger,
            pytest.raises(ServiceUnavailable, match="TLS handshake failed"),
        ):
            stranger.next_frame()


def test_credentials_that_are_made_already_are_taken(pki: Written) -> None:
    credentials = channel_credentials(pki.ca.certificate, *pki.clients["base-station"])
    with (
        Service(credentials=ServerCertificates(*pki.server, pki.ca.certificate).credentials()) as secured,
        Client(secured.target, credentials=credentials) as controller,
    ):
        assert controller.next_frame() == 0
