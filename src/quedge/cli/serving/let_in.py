"""Who is let in: TLS, CoAP, and where the service is seen from."""

from __future__ import annotations

from pathlib import Path

from quedge.errors import check_installed
from quedge.service.monitoring.web import NO_GUARD, Guard
from quedge.service.settings import Address, Tls
from quedge.service.tls.access import AccessPolicy, check_coap, check_complete, check_listening, check_watched


def secured_by(
    listen: Address, certificate: Path | None, key: Path | None, client_ca: Path | None, access: AccessPolicy
) -> Tls | None:
    """The TLS of the streams; None for plain text.

    Raises:
        ValueError: files that do not go together, or plain text where others can listen; the message names the option.
    """
    has_tls = check_complete(certificate, key, client_ca)
    check_listening(listen.host, has_tls)
    if certificate is None or key is None or client_ca is None:
        if access.hybrid_only:
            raise ValueError("--tls-require-hybrid: is not allowed without TLS: --tls-cert, --tls-key and --client-ca")
        return None
    check_installed("cryptography", "TLS", "cryptography", "serve")
    from quedge.service.tls.files import ServerCertificates

    return Tls(ServerCertificates(certificate, key, client_ca), access)


def check_coap_options(coap: Address | None, is_open: bool, secured: Tls | None) -> None:
    """Refuse CoAP where it would undo what is asked of others; the ValueError names the option."""
    if coap is None:
        if is_open:
            raise ValueError("--coap-open: is not allowed without --coap, where devices report")
        return
    check_coap(coap.host, is_open)
    if secured is not None and secured.access.hybrid_only:
        raise ValueError("--coap: is not allowed beside --tls-require-hybrid; it has no key exchange")
    if secured is not None and secured.access.bind_names:
        raise ValueError("--coap: is not allowed beside TLS, whose certificates name base stations, without --any-name")


def guard_of(seen_at: Address | None, token: Path | None, over_tls: bool, secured: Tls | None) -> Guard:
    """What is to be shown where the service is seen from.

    Raises:
        ValueError: options that do not go together, a token that is none, or anybody's looks where others can connect.
    """
    for option, is_given in (("--metrics-token", token is not None), ("--metrics-tls", over_tls)):
        if is_given and seen_at is None:
            raise ValueError(f"{option}: is not allowed without --metrics, where the service is seen from")
    if over_tls and secured is None:
        raise ValueError("--metrics-tls: is not allowed without TLS: --tls-cert, --tls-key and --client-ca")
    if seen_at is None:
        return NO_GUARD
    check_watched(seen_at.host, token is not None or over_tls)
    shown = None
    if token is not None:
        check_installed("cryptography", "--metrics-token", "cryptography", "serve")
        from quedge.service.tls.files import PemFile, read_token

        shown = read_token(PemFile("--metrics-token", token))
    context = secured.certificates.context(asks_for_certificate=shown is None) if over_tls and secured else None
    return Guard(shown, context)
