"""For which base stations a client may speak."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from quedge.service import methods
from quedge.service import quedge_pb2 as pb
from quedge.service.tls import certificates
from quedge.service.tls.access import ANY_CLIENT, AccessPolicy, peer_of
from quedge.service.tls.certificates import Issued, Written, lifetime, write_folder
from quedge.service.tls.files import ServerCertificates, channel_credentials
from tests.service.service_under_test import Service
from tests.service.tls.test_peer import Context
from tests.service.wire import Remembering, Stream, asked, connected, device_report, frame_report

BIND_NAMES = AccessPolicy(bind_names=True)


@pytest.fixture(scope="module")
def stations(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Certificates of two base stations."""
    return write_folder(tmp_path_factory.mktemp("tls") / "pki", (), ["roof", "quay"], lifetime(1))


@pytest.fixture
def watching() -> Remembering:
    return Remembering()


@pytest.fixture
def target(stations: Written, watching: Remembering) -> Iterator[str]:
    """A service that binds names."""
    credentials = ServerCertificates(*stations.server, stations.ca.certificate).credentials()
    with Service(credentials=credentials, access=BIND_NAMES, observer=watching) as service:
        yield service.target


def credentials_of(stations: Written, name: str) -> Any:
    return channel_credentials(stations.ca.certificate, *stations.clients[name])


def gateway(stations: Written, folder: Path) -> Any:
    """Credentials of a client with two DNS names, and a common name that is no base station's."""
    ca = Issued(
        x509.load_pem_x509_certificate(stations.ca.certificate.read_bytes()),
        serialization.load_pem_private_key(stations.ca.key.read_bytes(), None),  # type: ignore[arg-type]
    )
    names = x509.SubjectAlternativeName([x509.DNSName("roof"), x509.DNSName("quay")])
    issued = certificates._leaf(ca, "gateway", ExtendedKeyUsageOID.CLIENT_AUTH, lifetime(1), names)
    certificate, key = folder / "gateway.pem", folder / "gateway-key.pem"
    certificate.write_bytes(issued.certificate_pem)
    key.touch(0o600)
    key.write_bytes(issued.key_pem)
    return channel_credentials(stations.ca.certificate, certificate, key)


def test_a_client_speaks_for_the_base_station_of_its_common_name_by_every_method(
    target: str, stations: Written
) -> None:
    with connected(target, credentials_of(stations, "roof")) as channel:
        stream = Stream(channel, methods.SERVE_FRAMES)
        assert stream.ask(frame_report(0)).outcome == pb.SERVED
        stream.close()
        with pytest.raises(StopIteration):
            stream.read()
        assert asked(channel, methods.DECIDE, frame_report(1)).outcome == pb.SERVED
        assert Stream(channel, methods.SERVE_DEVICE).ask(device_report(0)).outcome == pb.SERVED
        assert asked(channel, methods.STATE, pb.StateRequest(base_station="roof")).next_frame == 3
        kept = asked(channel, methods.CHECKPOINT, pb.CheckpointRequest(base_station="roof"))
        assert kept.outcome == pb.NOT_DURABLE  # it has no state folder; but it was asked


def test_a_client_is_refused_for_another_base_station_by_every_method(
    target: str, stations: Written, watching: Remembering
) -> None:
    with connected(target, credentials_of(stations, "quay")) as channel:
        frames, device = Stream(channel, methods.SERVE_FRAMES), Stream(channel, methods.SERVE_DEVICE)
        answers = [
            frames.ask(frame_report(0)), device.ask(device_report(0)), asked(channel, methods.DECIDE, frame_report(0)),
        ]  # fmt: skip
        said = "'roof' is not allowed; it must be a name that the client's certificate carries"
        assert [(answer.outcome, answer.field, answer.message) for answer in answers] == [
            (pb.BAD_NAME, "base_station", said)
        ] * 3
        assert watching.refusals == [("roof", pb.BAD_NAME)] * 3
        for method in (methods.STATE, methods.CHECKPOINT):
            reply = asked(channel, method, method.request(base_station="roof"))
            assert (reply.outcome, reply.message, reply.next_frame) == (pb.BAD_NAME, said, 0)
        assert frames.ask(frame_report(0, "quay")).outcome == pb.SERVED


def test_a_client_cannot_take_the_name_of_another_base_station(target: str, stations: Written) -> None:
    with connected(target, credentials_of(stations, "quay")) as channel:
        foreign = Stream(channel, methods.SERVE_FRAMES)
        assert foreign.ask(frame_report(0)).outcome == pb.BAD_NAME  # its stream stays open
        with connected(target, credentials_of(stations, "roof")) as own:
            assert Stream(own, methods.SERVE_FRAMES).ask(frame_report(0)).outcome == pb.SERVED


def test_a_certificate_with_several_dns_names_speaks_for_each(target: str, stations: Written, tmp_path: Path) -> None:
    with connected(target, gateway(stations, tmp_path)) as channel:
        for name in ("roof", "quay"):
            assert asked(channel, methods.DECIDE, frame_report(0, name)).outcome == pb.SERVED
        assert asked(channel, methods.DECIDE, frame_report(0, "tower")).outcome == pb.BAD_NAME


def test_without_the_option_every_client_speaks_for_every_base_station(stations: Written) -> None:
    credentials = ServerCertificates(*stations.server, stations.ca.certificate).credentials()
    with (
        Service(credentials=credentials) as service,
        connected(service.target, credentials_of(stations, "quay")) as channel,
    ):
        assert asked(channel, methods.DECIDE, frame_report(0)).outcome == pb.SERVED


def speaks_for(name: str, access: AccessPolicy = BIND_NAMES, **told: list[bytes]) -> bool:
    return access.may_speak_for(peer_of(Context(**told)), name)


def test_names_are_compared_letter_by_letter() -> None:
    told = {"x509_common_name": [b"roof"], "peer_dns": [b"*.edge", b"Quay", b"tow\xffer", b""]}
    assert speaks_for("roof", **told)
    assert speaks_for("Quay", **told)
    for name in ("ROOF", "roof ", "roof.edge", "a.edge", "quay", "tower", "tow"):
        assert not speaks_for(name, **told)


def test_a_long_name_is_not_cut_before_it_is_compared() -> None:
    assert not speaks_for("x" * 64, x509_common_name=[b"x" * 65])


def test_a_client_without_a_certificate_speaks_for_nobody() -> None:
    assert not speaks_for("roof")
    assert not speaks_for("")
    assert speaks_for("roof", ANY_CLIENT)


def test_other_names_of_a_certificate_are_no_base_station_s() -> None:
    assert not speaks_for("roof", peer_ip=[b"roof"], peer_uri=[b"roof"], x509_subject_alternative_name=[b"roof"])
