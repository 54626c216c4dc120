"""A secured uplink, run: what it sends, counted at the receiver, beside what the suite's sizes predict."""

from __future__ import annotations

import contextlib
import time
from array import array
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np

from quedge.errors import is_integer, is_number, not_allowed
from quedge.pqc.costs import BITS_PER_BYTE, Traffic, traffic_of
from quedge.pqc.key_limits import check_key_use
from quedge.pqc.suite import Suite
from quedge.pqc.uplink.algorithms import LiveSuite, live_suite
from quedge.pqc.uplink.device import Device
from quedge.pqc.uplink.loopback import EmulationError, Link, Verdict
from quedge.pqc.uplink.server import MAX_FRAME_BYTES, Server

_DEVICE = 1


@dataclass(frozen=True)
class Emulation:
    """Counts and times of an emulated uplink.

    Attributes:
        task_bits: task bits of a frame.
        frames: frames that the device sent.
        accepted: frames whose data the server gave, equal to what was sent.
        rejected: frames that the server rejected, each with its session; as many as were damaged.
        key_exchanges: key exchanges that arrived.
        task_bytes: data of the accepted frames.
        bytes_on_wire: all bytes that the server received, those of rejected sessions included.
        frames_measured: frames that the two payload factors are of: all of them without damage; with damage those of
            whole rekey intervals in which nothing was rejected.
        payload_factor_measured: their data over the bytes that arrived for them; None without such frames.
        payload_factor_predicted: the same from the suite's sizes.
        device_us: processor time of the device for a frame, median and 95th percentile (µs).
        server_us: that of the server for an accepted frame, its reading from the socket included (µs); None
            where it accepted none.
    """

    task_bits: int
    frames: int
    accepted: int
    rejected: int
    key_exchanges: int
    task_bytes: int
    bytes_on_wire: int
    frames_measured: int
    payload_factor_measured: float | None
    payload_factor_predicted: float
    device_us: tuple[float, float]
    server_us: tuple[float, float] | None


def emulate(
    suite: Suite,
    task_bits: int,
    frames: int,
    damage: float = 0.0,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Emulation:
    """Send frames of random data over a loopback TCP connection, secured by a suite.

    Args:
        suite: algorithms and how they are used; its framing must be "pinned".
        task_bits: data of a frame (bit), whole bytes.
        frames: number of frames.
        damage: share of the frames in which one bit of one record is flipped in transit. Such a frame is lost; the next
            one begins a new session.
        seed: of the data and of the damage; keys are always fresh.
        progress: called with the number of frames done.

    Raises:
        EmulationError: no connection came about, or the server gave what was not sent, accepted a damaged frame or
            rejected an undamaged one.
        MissingExtraError: a library is not installed; the message names the extra.
        ValueError: an argument that is not allowed.
    """
    live = live_suite(suite)
    max_bits = MAX_FRAME_BYTES * BITS_PER_BYTE
    if not (is_integer(task_bits) and 0 < task_bits <= max_bits and task_bits % BITS_PER_BYTE == 0):
        raise not_allowed("task_bits", task_bits, f"a multiple of 8, above 0 and at most {max_bits}")
    if not (is_integer(frames) and frames >= 1):
        raise not_allowed("frames", frames, "an integer, at least 1")
    if not (is_number(damage) and 0.0 <= damage < 1.0):
        raise not_allowed("damage", damage, "at least 0 and below 1")
    check_key_use(suite, live.aead.row, traffic_of(suite).records(task_bits))
    tally = _Tally(suite.rekey_frames, task_bits // BITS_PER_BYTE)
    with contextlib.closing(_frames(live, task_bits // BITS_PER_BYTE, frames, damage, seed)) as run:
        for done, (device_ns, exchanged, verdict) in enumerate(run, 1):
            tally.add(device_ns, exchanged, verdict)
            if progress is not None:
                progress(done)
    if damage == 0.0:
        tally.close_interval()
    return tally.result(task_bits, traffic_of(suite))


def _frames(
    live: LiveSuite, payload: int, frames: int, damage: float, seed: int
) -> Generator[tuple[int, bool, Verdict], None, None]:
    """Each frame's time at the device (ns), whether it brought a key exchange, and what became of it."""
    signing_key, server_key = live.signature.generate(), live.kem.generate()
    device = Device(live, _DEVICE, signing_key, server_key.public_key)
    # it takes no more data than a frame has, so that a flipped bit in a length does not keep it waiting
    server = Server(live, server_key, {_DEVICE: signing_key.public_key}, payload)
    contents, damage_rng = (np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(2))
    left = frames
    while left:
        device.begin_session()
        with Link(server) as link:
            while left:
                left -= 1
                data = contents.bytes(payload)
                begun = time.thread_time_ns()
                sealed = device.seal(data)
                spent = time.thread_time_ns() - begun
                damaged = damage > 0.0 and damage_rng.random() < damage
                records = _damaged(sealed.records, damage_rng) if damaged else sealed.records
                link.send([sealed.key_exchange, *records, sealed.signature])
                verdict = link.verdict()
                _check(data, damaged, verdict)
                yield spent, bool(sealed.key_exchange), verdict
                if damaged:
                    break


def _check(data: bytes, damaged: bool, verdict: Verdict) -> None:
    if damaged and verdict.data is not None:
        raise EmulationError("the server accepted a damaged frame")
    if not damaged and verdict.data is None:
        raise EmulationError(f"the server rejected an undamaged frame: {verdict.reason}")
    if not damaged and verdict.data != data:
        raise EmulationError("the server gave other data than was sent")


def _damaged(records: list[bytes], rng: np.random.Generator) -> list[bytes]:
    """The records with one bit flipped in one of them."""
    which = int(rng.integers(len(records)))
    flipped = bytearray(records[which])
    bit = int(rng.integers(len(flipped) * BITS_PER_BYTE))
    flipped[bit // BITS_PER_BYTE] ^= 1 << bit % BITS_PER_BYTE
    return [*records[:which], bytes(flipped), *records[which + 1 :]]


class _Tally:
    """Sums over frames, and over the rekey intervals in which nothing was rejected."""

    def __init__(self, rekey_frames: int, payload: int) -> None:
        self._rekey_frames, self._payload = rekey_frames, payload
        self._accepted = self._rejected = self._exchanges = self._bytes = 0
        self._interval_frames = self._interval_bytes = 0
        self._clean_frames = self._clean_bytes = self._clean_exchanges = 0
        self._device_ns, self._server_ns = array("q"), array("q")

    def add(self, device_ns: int, exchanged: bool, verdict: Verdict) -> None:
        self._device_ns.append(device_ns)
        self._bytes += verdict.received_bytes
        self._exchanges += exchanged
        if exchanged:
            self._interval_frames = self._interval_bytes = 0
        if verdict.data is None:
            self._rejected += 1
            self._interval_frames = self._interval_bytes = 0
            return
        self._accepted += 1
        self._server_ns.append(verdict.cpu_ns)
        self._interval_frames += 1
        self._interval_bytes += verdict.received_bytes
        if self._interval_frames == self._rekey_frames:
            self.close_interval()

    def close_interval(self) -> None:
        if self._interval_frames:
            self._clean_frames += self._interval_frames
            self._clean_bytes += self._interval_bytes
            self._clean_exchanges += 1
        self._interval_frames = self._interval_bytes = 0

    def result(self, task_bits: int, traffic: Traffic) -> Emulation:
        predicted = traffic.payload_factor(task_bits)
        measured = None
        if self._clean_frames:
            data = self._clean_frames * self._payload
            measured = data / self._clean_bytes
            # the last interval may have had fewer frames than K, which its key exchange is then shared by
            frame_bytes = traffic.wire_bytes(task_bits) - traffic.rekey_bytes / traffic.rekey_frames
            predicted = data / (self._clean_frames * frame_bytes + self._clean_exchanges * traffic.rekey_bytes)
        return Emulation(
            task_bits=task_bits,
            frames=self._accepted + self._rejected,
            accepted=self._accepted,
            rejected=self._rejected,
            key_exchanges=self._exchanges,
            task_bytes=self._accepted * self._payload,
            bytes_on_wire=self._bytes,
            frames_measured=self._clean_frames,
            payload_factor_measured=measured,
            payload_factor_predicted=predicted,
            device_us=_median_and_p95(self._device_ns),
            server_us=_median_and_p95(self._server_ns) if self._server_ns else None,
        )


def _median_and_p95(times_ns: array[int]) -> tuple[float, float]:
    median, p95 = np.percentile(np.frombuffer(times_ns, dtype=np.int64), (50.0, 95.0)) / 1e3
    return float(median), float(p95)
