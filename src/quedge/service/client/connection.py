"""How a client reaches the service: what it is told, and the channel that follows from it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from quedge.errors import check_installed, not_allowed
from quedge.service.client.messages import KnownState
from quedge.service.methods import MAX_ANSWER_BYTES, Method

BASE_STATION = "base-station"
"""What a base station is called that gives no name."""

_TIMEOUT_S = 5.0
AGAIN_S = 0.02
"""Time until the next target is asked (s)."""
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),  # a controller stands near, and frames have no time for detours
    ("grpc.use_local_subchannel_pool", 1),  # a client that begins does not inherit another one's waiting times
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 3000),  # how long a connection may take to come about
    ("grpc.max_reconnect_backoff_ms", 1000),  # a restarted service is found within a second
    ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
)


class Connection:
    """A base station's connection to the service; its arguments are those of both clients."""

    _grpc: ClassVar[Any]
    """What opens channels: `grpc` or `grpc.aio`."""

    def __init__(
        self,
        target: str | Sequence[str],
        base_station: str = BASE_STATION,
        *,
        credentials: Any = None,
        ca: str | Path | None = None,
        certificate: str | Path | None = None,
        key: str | Path | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        """Check what is given; the first call opens the channel.

        Args:
            target: "host:port"; or several, of a service and its standby, as a list or with commas between: where one
                is not available, the next one is asked.
            base_station: its name; each name has a cell of its own.
            credentials: of TLS, as `grpc.ssl_channel_credentials` makes them; plain text without.
            ca: file with the certificate, PEM, that the service's one is signed by; instead of `credentials`.
            certificate: file with this client's own certificate, where the service asks for one.
            key: file with its key.
            timeout_s: how long an answer is waited for (s).

        Raises:
            ValueError: no target, TLS arguments that do not go together, or a file that cannot be used.
            MissingExtraError: files are given, and cryptography is not installed.
        """
        self._targets = tuple(target.split(",") if isinstance(target, str) else target)
        if not all(self._targets) or not self._targets:
            raise not_allowed("target", target, "host:port, or several with commas between")
        self._target, self._base_station, self._timeout_s = self._targets[0], base_station, timeout_s
        self._credentials = credentials_of(credentials, ca, certificate, key)
        self._channels: dict[str, Any] = {}
        self._known = KnownState()
        self._opening = threading.Lock()

    def _call(self, method: Method) -> Callable[..., Any]:
        """What calls a method of the service."""
        with self._opening:
            target = self._target
            if target not in self._channels:  # not before: grpc.aio's belongs to the event loop that runs then
                self._channels[target] = self._opened(target)
            channel = self._channels[target]
        kind = channel.stream_stream if method.streams else channel.unary_unary
        call: Callable[..., Any] = kind(method.path, method.request.SerializeToString, method.reply.FromString)
        return call

    def _turn_from(self, target: str) -> bool:
        """Ask the next target from now on, where a target that was asked is not available; whether there is another."""
        with self._opening:
            if self._target == target:
                self._target = self._targets[(self._targets.index(target) + 1) % len(self._targets)]
        return len(self._targets) > 1

    def _opened(self, target: str) -> Any:
        if self._credentials is None:
            return self._grpc.insecure_channel(target, _OPTIONS)
        return self._grpc.secure_channel(target, self._credentials, _OPTIONS)


def credentials_of(
    credentials: Any,
    ca: str | Path | None,
    certificate: str | Path | None,
    key: str | Path | None,
    names: tuple[str, str, str] = ("ca", "certificate", "key"),
) -> Any:
    """TLS credentials from the arguments of a client; None for plain text. Messages call the files by `names`.

    Raises:
        ValueError, MissingExtraError: as a client does.
    """
    own, secret = (None if path is None else Path(path) for path in (certificate, key))
    if ca is None:
        if own is not None or secret is not None:
            raise ValueError(
                f"{names[1]}, {names[2]}: are not allowed without {names[0]}, by which the service is known"
            )
        return credentials
    if credentials is not None:
        raise ValueError(f"{names[0]}: is not allowed beside credentials; give one of them")
    check_installed("cryptography", "TLS", "cryptography", "serve")
    from quedge.service.tls.files import channel_credentials

    return channel_credentials(Path(ca), own, secret, names)
