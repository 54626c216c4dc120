"""What the service learns of its peers."""

from __future__ import annotations

from typing import Any

import pytest

from quedge.service.tls.access import Peer, peer_of
from quedge.service.tls.certificates import Written
from quedge.service.tls.files import channel_credentials
from tests.service.tls.pki import Service, serving


class Context:
    """A call's context with properties laid by hand."""

    def __init__(self, **told: list[bytes]) -> None:
        self._told = told

    def auth_context(self) -> Any:
        return self._told


def test_a_grpc_client_negotiates_the_hybrid_group_unasked(service: Service, pki: Written) -> None:
    credentials = channel_credentials(pki.ca.certificate, *pki.clients["base-station"])
    assert service.answer(credentials) == "answered"
    assert service.peers[-1] == Peer("base-station", "TLSv1.3", "X25519MLKEM768", frozenset({"base-station"}))
    assert service.peers[-1].is_hybrid


def test_a_client_without_ml_kem_is_answered_and_its_group_told(service: Service, pki: Written) -> None:
    assert b"answered" in service.answer_to_old_client(pki, "prime256v1")
    assert service.peers[-1] == Peer("base-station", "TLSv1.3", "secp256r1", frozenset({"base-station"}))
    assert not service.peers[-1].is_hybrid


def test_a_service_that_insists_refuses_a_client_without_ml_kem(service: Service, pki: Written) -> None:
    told = service.answer_to_old_client(pki, "prime256v1", insistent=True)
    assert b"answered" not in told
    assert b"requires the key exchange X25519MLKEM768; secp256r1 was negotiated" in told


def test_a_service_that_insists_answers_a_grpc_client(service: Service, pki: Written) -> None:
    credentials = channel_credentials(pki.ca.certificate, *pki.clients["base-station"])
    assert service.answer(credentials, insistent=True) == "answered"


def test_a_peer_in_plain_text_has_no_name_and_no_group() -> None:
    with serving(None) as service:
        assert service.answer(None) == "answered"
        assert service.answer(None, insistent=True) == "FAILED_PRECONDITION"
    assert service.peers == [Peer("", "", "none", frozenset())]


@pytest.mark.parametrize(("told", "group"), [(b"X25519", "x25519"), (b"P-384", "secp384r1"), (b"new", "new")])
def test_groups_have_their_registered_names(told: bytes, group: str) -> None:
    context = Context(transport_security_type=[b"ssl"], ssl_negotiated_key_exchange_group=[told])
    assert peer_of(context).group == group


def test_a_group_that_grpc_does_not_tell_is_unknown() -> None:
    peer = peer_of(Context(transport_security_type=[b"ssl"], x509_common_name=[b"bs"]))
    assert peer == Peer("bs", "unknown", "unknown", frozenset({"bs"}))
    assert not peer.is_hybrid


def test_a_name_cannot_forge_lines_of_a_log() -> None:
    peer = peer_of(Context(transport_security_type=[b"ssl"], x509_common_name=[b"bs\n\x1b[1m\xff" + b"x" * 100]))
    assert peer.name.startswith("bs??[1m\N{REPLACEMENT CHARACTER}x")
    assert len(peer.name) == 64
