"""What devices that offload send to an edge server: secured records over the loopback interface, counted there."""

from __future__ import annotations

import contextlib
import queue
import threading
from dataclasses import dataclass

import numpy as np

from quedge.pqc.costs import BITS_PER_BYTE, Traffic, traffic_of
from quedge.pqc.uplink.algorithms import LiveSuite
from quedge.pqc.uplink.device import Device
from quedge.pqc.uplink.loopback import EmulationError, Link
from quedge.pqc.uplink.server import Server

MAX_UPLOAD_BYTES = 1 << 20
"""Most data of an upload."""

_MAX_WAITING = 256
_PATIENCE_S = 5.0
_MAX_DESCRIBED = 5


@dataclass(frozen=True)
class Secured:
    """What was uploaded.

    Attributes:
        uploads: uploads that arrived whole.
        rejected: uploads that the server rejected.
        left_out: uploads that were not begun, because earlier ones were not done.
        task_bytes: data that arrived.
        wire_bytes: bytes that the server received for it.
        payload_factor: data over bytes; None without uploads.
        payload_factor_predicted: the same from the suite's sizes.
        violations: uploads of another size on the wire than predicted, or of other data than were sent.
        described: what was wrong with the first few.
    """

    uploads: int
    rejected: int
    left_out: int
    task_bytes: int
    wire_bytes: int
    payload_factor: float | None
    payload_factor_predicted: float | None
    violations: int
    described: tuple[str, ...]


class Uploads:
    """Uploads in a thread of their own, one after the other; `with` begins and ends it.

    Each device has a key and a session with the edge server, over a connection of its own.

    Args:
        live: the suite.
    """

    def __init__(self, live: LiveSuite) -> None:
        self._traffic = traffic_of(live.suite)
        self._server_key = live.kem.generate()
        self._live = live
        self._contents = np.random.default_rng().bytes(2 * MAX_UPLOAD_BYTES)
        self._parties: dict[int, tuple[Device, Link]] = {}
        self._open = contextlib.ExitStack()
        self._waiting: queue.Queue[tuple[int, int] | None] = queue.Queue(_MAX_WAITING)
        self._thread = threading.Thread(target=self._work, name="quedge-uploads", daemon=True)
        self._stop = threading.Event()
        self._uploads = self._rejected = self._left_out = 0
        self._task_bytes = self._wire_bytes = self._predicted_bytes = 0
        self._violations = 0
        self._described: list[str] = []

    def __enter__(self) -> Uploads:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            self._waiting.put(None, timeout=_PATIENCE_S)
        except queue.Full:
            self._stop.set()
        self._thread.join(_PATIENCE_S)
        self._stop.set()

    def submit(self, device: int, task_bits: float) -> None:
        """Have a device upload data, no more than `MAX_UPLOAD_BYTES`; it never waits."""
        payload = min(int(task_bits / BITS_PER_BYTE), MAX_UPLOAD_BYTES)
        if payload == 0:
            return
        try:
            self._waiting.put_nowait((device, payload))
        except queue.Full:
            self._left_out += 1

    def found(self) -> Secured:
        """What was uploaded so far."""
        wire = self._wire_bytes
        return Secured(
            uploads=self._uploads,
            rejected=self._rejected,
            left_out=self._left_out + self._waiting.qsize(),
            task_bytes=self._task_bytes,
            wire_bytes=wire,
            payload_factor=self._task_bytes / wire if wire else None,
            payload_factor_predicted=self._task_bytes / self._predicted_bytes if wire else None,
            violations=self._violations,
            described=tuple(self._described),
        )

    def _work(self) -> None:
        with self._open:
            while not self._stop.is_set() and (waiting := self._waiting.get()) is not None:
                device, payload = waiting
                try:
                    self._upload(device, payload)
                except EmulationError as error:
                    self._blame(f"upload of device {device}: {error}")

    def _upload(self, device: int, payload: int) -> None:
        if device not in self._parties:
            self._parties[device] = self._joined(device)
        party, link = self._parties[device]
        at = (self._uploads * 7919) % MAX_UPLOAD_BYTES
        data = self._contents[at : at + payload]
        sealed = party.seal(data)
        link.send([sealed.key_exchange, *sealed.records, sealed.signature])
        verdict = link.verdict()
        if verdict.data is None:
            self._rejected += 1
            self._blame(f"upload of device {device}: rejected: {verdict.reason}")
            del self._parties[device]  # the next upload begins a session with a connection of its own
            return
        expected = frame_bytes(self._traffic, payload, bool(sealed.key_exchange))
        self._uploads += 1
        self._task_bytes += payload
        self._wire_bytes += verdict.received_bytes
        self._predicted_bytes += expected
        if verdict.data != data:
            self._blame(f"upload of device {device}: other data arrived than was sent")
        elif verdict.received_bytes != expected:
            self._blame(f"upload of device {device}: {verdict.received_bytes} bytes arrived, and {expected} follow")

    def _joined(self, device: int) -> tuple[Device, Link]:
        signing_key = self._live.signature.generate()
        server = Server(self._live, self._server_key, {device: signing_key.public_key}, MAX_UPLOAD_BYTES)
        link = self._open.enter_context(Link(server))
        return Device(self._live, device, signing_key, self._server_key.public_key), link

    def _blame(self, text: str) -> None:
        self._violations += 1
        if len(self._described) < _MAX_DESCRIBED:
            self._described.append(text)


def frame_bytes(traffic: Traffic, payload: int, key_exchange: bool) -> int:
    """Bytes on the wire for one frame's data."""
    records = -(-payload // traffic.record_bytes)
    beside = records * traffic.record_overhead_bytes + traffic.frame_bytes
    return payload + beside + (traffic.rekey_bytes if key_exchange else 0)
