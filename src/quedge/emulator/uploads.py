"""What devices that offload send to an edge server: secured records over the loopback interface, counted there."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import threading
from dataclasses import dataclass, field

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


@dataclass
class Secured:
    """What was uploaded; it counts as the uploads go on.

    Attributes:
        uploads: uploads that arrived whole.
        rejected: uploads that the server rejected.
        left_out: uploads that were not begun, because earlier ones were not done.
        task_bytes: data that arrived.
        wire_bytes: bytes that the server received for it.
        predicted_bytes: what that should be by the suite's sizes.
        violations: uploads of another size on the wire than predicted, or of other data than were sent.
        described: what was wrong with the first few.
    """

    uploads: int = 0
    rejected: int = 0
    left_out: int = 0
    task_bytes: int = 0
    wire_bytes: int = 0
    predicted_bytes: int = 0
    violations: int = 0
    described: list[str] = field(default_factory=list)

    @property
    def payload_factor(self) -> float | None:
        """Data over bytes; None without uploads."""
        return self.task_bytes / self.wire_bytes if self.wire_bytes else None

    @property
    def payload_factor_predicted(self) -> float | None:
        """The same from the suite's sizes."""
        return self.task_bytes / self.predicted_bytes if self.predicted_bytes else None


class Uploads:
    """A suite's uploads in a thread of their own, one after the other; `with` begins and ends it.

    Each device has a key and a session with the edge server, over a connection of its own.
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
        self._found = Secured()

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
            self._found.left_out += 1

    def found(self) -> Secured:
        """What was uploaded so far."""
        return dataclasses.replace(self._found, left_out=self._found.left_out + self._waiting.qsize())

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
        at = (self._found.uploads * 7919) % MAX_UPLOAD_BYTES
        data = self._contents[at : at + payload]
        sealed = party.seal(data)
        link.send([sealed.key_exchange, *sealed.records, sealed.signature])
        verdict = link.verdict()
        if verdict.data is None:
            self._found.rejected += 1
            self._blame(f"upload of device {device}: rejected: {verdict.reason}")
            del self._parties[device]  # the next upload begins a session with a connection of its own
            return
        expected = frame_bytes(self._traffic, payload, bool(sealed.key_exchange))
        self._found.uploads += 1
        self._found.task_bytes += payload
        self._found.wire_bytes += verdict.received_bytes
        self._found.predicted_bytes += expected
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
        self._found.violations += 1
        if len(self._found.described) < _MAX_DESCRIBED:
            self._found.described.append(text)


def frame_bytes(traffic: Traffic, payload: int, key_exchange: bool) -> int:
    """Bytes on the wire for one frame's data."""
    records = -(-payload // traffic.record_bytes)
    beside = records * traffic.record_overhead_bytes + traffic.frame_bytes
    return payload + beside + (traffic.rekey_bytes if key_exchange else 0)
