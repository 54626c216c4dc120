"""How a service listens, is secured, logs, and waits for the network."""

from __future__ import annotations

import os
import resource
import struct
from collections.abc import MutableMapping
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from quedge.service.tls.access import ANY_CLIENT, AccessPolicy

if TYPE_CHECKING:
    from quedge.service.tls.files import ServerCertificates


class Address(NamedTuple):
    """Where to listen; port 0 stands for one of the system's choice."""

    host: str
    port: int


class Running(NamedTuple):
    """Where a service takes reports, "host:port", where it is seen from, as a URL, and where devices report over CoAP.

    The last two are empty for nowhere.
    """

    address: str
    seen_at: str
    coap_at: str = ""


class Tls(NamedTuple):
    """How streams are secured.

    Attributes:
        certificates: of the server, and the authorities of its clients.
        access: what is asked of clients besides a certificate.
    """

    certificates: ServerCertificates
    access: AccessPolicy = ANY_CLIENT


class Rendering(StrEnum):
    """How lines are written."""

    JSON = "json"
    """One JSON object a line."""
    CONSOLE = "console"
    """For people, coloured on a terminal."""


_DIRECTLY = "-event_engine_client,-event_engine_listener"


def poll_directly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let the thread that waits for a message take it from the network itself.

    Otherwise a pool of gRPC's own takes it and wakes that thread, which a round trip on loopback has to wait for on
    either side: 0.56 ms instead of 0.43 in one run (`python -m benchmarks.service.latency`, with GRPC_EXPERIMENTS set
    to nothing and without). Whoever has set that variable has it their own way, and a gRPC that knows nothing but its
    pool works with that. The environment may be that of a process that is to be begun.
    """
    environment.setdefault("GRPC_EXPERIMENTS", _DIRECTLY)


_OF_NOBODY = "ECDHE-PSK-CHACHA20-POLY1305"  # it takes a key that both sides have, of which gRPC has none


def refuse_tls_1_2(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have gRPC end handshakes by TLS 1.2, which has no hybrid key exchange.

    gRPC's Python interface has no least version. Its cipher suites, which are those of TLS 1.2 alone, can be chosen:
    with one that no server of certificates can use such a handshake finds none in common, and TLS 1.3 has its own.
    Whoever has set the variable has it their own way; the call is refused then, as where TLS 1.3 has no hybrid group.
    It must be set before gRPC is loaded.
    """
    environment.setdefault("GRPC_SSL_CIPHER_SUITES", _OF_NOBODY)


_ENOUGH_DESCRIPTORS = 65_536


def allow_descriptors() -> None:
    """Allow this process as many open files and connections as it may allow itself, up to a number that is enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def allowed_descriptors() -> int:
    """How many files and connections this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENOUGH_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


LATENCY_DEVICE = Path("/dev/cpu_dma_latency")
"""Linux's: whoever holds it open says how long processors may take to wake up (µs, 32 bits)."""


def cpu_latency_lock(device: Path = LATENCY_DEVICE) -> IO[bytes]:
    """Let processors wait for work without sleeping, so that a frame begins sooner, for more power.

    Gives Linux's latency device, held open; processors may sleep again once it is closed or the process has ended. A
    ValueError where it is not there, or may not be written.

    Source: Linux kernel documentation, "PM Quality Of Service Interface".
    """
    held = None
    try:
        held = device.open("r+b", buffering=0)  # never made where it is not there
        held.write(struct.pack("=i", 0))
    except OSError as error:
        if held is not None:
            held.close()
        raise ValueError(
            f"--keep-awake: {device}: {error.strerror}; it must be there (on Linux it is) and allowed to be written"
        ) from None
    return held
