"""What is fuzzed: each target takes any bytes, and says by an AssertionError or another error what is wrong.

A target allows exactly what the code promises: a refusal of the promised kind, or a result that holds together.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import dataclasses
import functools
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import DecodeError

from quedge.controller.acknowledged import read_acknowledged
from quedge.controller.answer import Answer
from quedge.controller.assembly import Assembly, Member
from quedge.controller.report import Report, ReportRejected
from quedge.controller.state import QueueState, Snapshot, StateError
from quedge.files.scenario import read_scenario, write_scenario
from quedge.model.cell import Cell, cell_of
from quedge.model.frame import ARRIVAL_MBIT, CHANNEL_GAIN, DATA_QUEUE_MBIT
from quedge.model.scenario import Scenario
from quedge.pqc.suite import SUITES
from quedge.pqc.uplink.algorithms import LiveSuite, live_suite
from quedge.pqc.uplink.primitives import Kem, Rejected, Signature
from quedge.pqc.uplink.server import Server
from quedge.service import quedge_pb2 as pb
from quedge.service import translate
from quedge.service.coap.exchanges import Exchange, Exchanges
from quedge.service.coap.messages import Code, NoMessageError, decoded

DEVICES = 4


@functools.cache
def cell() -> Cell:
    return cell_of(Scenario(devices=DEVICES))


def report(data: bytes) -> None:
    """A base station's report, from its bytes to the frame that a policy sees."""
    try:
        found = translate.report_of(pb.FrameReport.FromString(data), DEVICES)
    except (DecodeError, ReportRejected):
        return
    assert 1 <= found.devices.size <= DEVICES
    assert (np.diff(found.devices) > 0).all()
    for values, allowed in ((found.channel_gain, CHANNEL_GAIN), (found.arrived_mbit, ARRIVAL_MBIT)):
        assert not allowed.excludes(values).any()
    measured = ~np.isnan(found.data_queue_mbit)
    assert not DATA_QUEUE_MBIT.excludes(found.data_queue_mbit[measured]).any()
    assert Report.unpacked(found.packed()).packed() == found.packed()
    frame = QueueState.empty(DEVICES).frame(cell(), found)
    assert not DATA_QUEUE_MBIT.excludes(frame.data_queue_mbit).any()


def device_reports(data: bytes) -> None:
    """Reports of devices and of two gateways, frame after frame: each behind its length, which is odd for a gateway."""
    assembly, now = Assembly(DEVICES, 0.5), 0.0
    devices = {device: Member("device") for device in range(-1, DEVICES + 1)}
    gateways = [Member("devices"), Member("devices")]
    joined = set[Member]()
    while data:
        size, part, data = data[0], data[1 : 1 + data[0]], data[1 + data[0] :]
        now += 0.1
        with contextlib.suppress(DecodeError, ReportRejected):
            if size % 2:
                message = pb.GatewayReport.FromString(part)
                member, own = gateways[size % 4 // 2], ()
                report = list(message.devices), message.channel_gain, message.arrived_mbit, message.data_queue_mbit
            else:
                message = pb.DeviceReport.FromString(part)
                member, own = devices.get(message.device, devices[-1]), (message.device,)
                measured = [message.data_queue_mbit] if message.HasField("data_queue_mbit") else []
                report = [message.device], [message.channel_gain], [message.arrived_mbit], measured
            if member not in joined:
                assembly.join(member, own)
                joined.add(member)
            assembly.add(member, *report, now)
        if assembly.is_closed(now):
            taken = assembly.taken()
            assert 1 <= taken.devices.size <= DEVICES
            assert (np.diff(taken.devices) > 0).all()
            assert not CHANNEL_GAIN.excludes(taken.channel_gain).any()
            assert not ARRIVAL_MBIT.excludes(taken.arrived_mbit).any()


def coap(data: bytes) -> None:
    """Datagrams of CoAP, each behind its length: ignored, or answered by as much as an answer has."""

    def serve(exchange: Exchange) -> None:
        if exchange.request.payload:
            exchange.respond(Code.CHANGED, b"decision")

    async def hear(left: bytes) -> None:
        exchanges = Exchanges(_Deaf(), serve, lambda: 0.0)  # type: ignore[arg-type]
        while left:
            size, part, left = left[0], left[1 : 1 + left[0]], left[1 + left[0] :]
            exchanges.hear(part, ("127.0.0.1", size % 2))
            with contextlib.suppress(NoMessageError):
                message = decoded(part)
                bare = message._replace(path=(), unknown_option=0)
                assert decoded(bare.encoded()) == bare
                assert sum(map(len, (*message.path, message.token, message.payload))) <= len(part)

    asyncio.run(hear(data))


class _Deaf:
    """A socket to nobody."""

    def sendto(self, data: bytes, address: object) -> None:
        assert len(data) <= 4 + 8 + 1 + len(b"decision")
        decoded(data)


class _File:
    """A file that holds some bytes."""

    def __init__(self, held: bytes) -> None:
        self._held = held

    def read_bytes(self) -> bytes:
        return self._held


def journal(data: bytes) -> None:
    """The records of a journal: the first byte says which, the rest is the record."""
    kind, record = data[:1], data[1:]
    if kind == b"r":
        with contextlib.suppress(ValueError):
            assert Report.unpacked(record).packed() == record
    elif kind == b"a":
        with contextlib.suppress(ValueError):
            assert Answer.unpacked(record).packed() == record
    elif kind == b"s":
        with contextlib.suppress(ValueError):
            snapshot = Snapshot.unpacked(record)
            again = Snapshot.unpacked(snapshot.packed())
            assert again.packed() == snapshot.packed()
    else:  # the last acknowledged frame, behind it the digest that the file has
        digest = hashlib.blake2b(record, digest_size=16).digest()
        with contextlib.suppress(StateError):
            read_acknowledged(_File(record + digest))  # type: ignore[arg-type]


class _Key:
    """A key of algorithms that let everything pass, so that what comes after them is reached."""

    def __init__(self, size: int = 0) -> None:
        self.public_key = bytes(size)

    def decapsulate(self, ciphertext: bytes) -> bytes:
        return ciphertext[:32]

    def verifies(self, signature: bytes, message: bytes, context: bytes) -> bool:
        return signature[:1] != b"x"


class _Cipher:
    def decrypt(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:
        return None if sealed[-1:] == b"x" else sealed[:-16]


@functools.cache
def _open_suite() -> LiveSuite:
    suite = dataclasses.replace(SUITES["level3"], record_bytes=40, rekey_frames=3, sign_every_frame=True)
    live = live_suite(suite)
    short = {part: dataclasses.replace(getattr(live, part).row, output_bytes=8) for part in ("kem", "signature")}
    return dataclasses.replace(
        live,
        kem=Kem(short["kem"], "none", _Key, lambda key: None),  # type: ignore[arg-type, return-value]
        signature=Signature(short["signature"], "none", _Key, lambda key: _Key()),  # type: ignore[arg-type, return-value]
        aead=dataclasses.replace(live.aead, cipher=lambda key: _Cipher()),  # type: ignore[arg-type, return-value]
        most_records=9,
    )


def uplink(data: bytes) -> None:
    """A stream to the server of a secured uplink: key exchanges, records and signatures, until it rejects."""
    at = 0

    def read(count: int) -> bytes:
        nonlocal at
        assert 0 <= count <= 40 + 16 or count == 16
        if at + count > len(data):
            raise Rejected("stream: ended within a message")
        at += count
        return data[at - count : at]

    session = Server(_open_suite(), _Key(), {1: b"", 7: b""}, max_frame_bytes=100).session()  # type: ignore[arg-type]
    with contextlib.suppress(Rejected):
        while True:
            assert 1 <= len(session.receive(read)) <= 100
    for _ in range(2):
        with pytest.raises(Rejected, match="session: it has ended"):
            session.receive(read)


@functools.cache
def _folder() -> Path:
    made = tempfile.mkdtemp(prefix="quedge-fuzz-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def _check_line(told: str, path: Path) -> None:
    """A refusal is one line that begins with the file."""
    assert told.startswith(f"{path}: ")
    assert "\n" not in told


def scenario(data: bytes) -> None:
    """A scenario file: refused by a ValueError of one line, or a cell that a file of it means again."""
    path, again = _folder() / "cell.toml", _folder() / "again.toml"
    path.write_bytes(data)
    try:
        found = read_scenario(path).scenario
    except ValueError as refused:
        _check_line(str(refused), path)
        return
    if found.devices > 1_000:
        return
    own = cell_of(found)
    for name, values in own._asdict().items():
        assert name == "available_power_w" or np.isfinite(values).all()  # without a battery that is infinite
    write_scenario(found, again)
    for ours, theirs in zip(own, cell_of(read_scenario(again).scenario), strict=True):
        np.testing.assert_array_equal(ours, theirs)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "report": report,
    "device-reports": device_reports,
    "coap": coap,
    "journal": journal,
    "uplink": uplink,
    "scenario": scenario,
}
