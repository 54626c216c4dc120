"""Inputs that each target takes as good ones; the corpus grew from them."""

from __future__ import annotations

from quedge.controller.acknowledged import Acknowledged
from quedge.controller.controller import Controller
from quedge.controller.report import checked_report
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal
from quedge.service import quedge_pb2 as pb
from tests.fuzz.targets import DEVICES


def reports() -> list[bytes]:
    gains, arrived = [1e-11, 2e-11, 3e-12, 4e-11], [1.0, 0.0, 2.5, 3.0]
    messages = (
        pb.FrameReport(base_station="roof", channel_gain=gains, arrived_mbit=arrived),
        pb.FrameReport(frame=7, devices=[3, 1], channel_gain=gains[:2], arrived_mbit=arrived[:2]),
        pb.FrameReport(channel_gain=gains, arrived_mbit=arrived, data_queue_mbit=[1.0, 2.0, 0.0, 9.0]),
    )
    return [message.SerializeToString() for message in messages]


def device_reports() -> list[bytes]:
    parts = [
        pb.DeviceReport(device=device, channel_gain=1e-11, arrived_mbit=2.0).SerializeToString()
        for device in range(DEVICES)
    ]
    measured = pb.DeviceReport(device=2, channel_gain=1e-11, data_queue_mbit=4.0).SerializeToString()
    group = pb.GatewayReport(devices=[0, 1], channel_gain=[1e-11] * 2, arrived_mbit=[2.0] * 2).SerializeToString()
    told = [parts, [parts[1], measured, parts[1]], [group, parts[2], parts[3], parts[2], group]]
    return [b"".join(_behind_length(part, part == group) for part in each) for each in told]


def _behind_length(part: bytes, by_gateway: bool) -> bytes:
    """A report behind its length, which is odd for a gateway; an unknown field makes it so."""
    padded = part if len(part) % 2 == by_gateway else part + b"\xfa\x01\x00"
    return bytes((len(padded),)) + padded


def coap() -> list[bytes]:
    """A request and its duplicate, others with options to know and not to know, a ping and an acknowledgement."""
    path = b"\xb5cells\x05north\x07devices\x012"
    post = b"\x42\x02\x00\x07ab" + path + b"\xff" + pb.DeviceReport(channel_gain=1e-11).SerializeToString()
    told = [
        [post, post, b"\x40\x00\x00\x09", b"\x60\x00\x00\x07"],
        [b"\x50\x02\x00\x08\x3alocal.host\x42\x16\x33" + path[:6] + b"\xd1\x03a\xe1\x01\x00b\xffx"],
        [b"\x44\x04\x01\x00abcd" + path, b"\x70\x00\x01\x00", b"\x40\x45\x00\x01"],
    ]
    return [b"".join(bytes((len(part),)) + part for part in each) for each in told]


def journal() -> list[bytes]:
    report = checked_report(2, 0, [1e-11, 2e-11], [1.0, 2.0])
    controller = Controller(Scenario(devices=2), AllLocal())
    answer, acknowledged = controller.serve(report), Acknowledged(3, "0123456789abcdef", True, False, bytes(16))
    return [
        b"r" + report.packed(), b"a" + answer.packed(), b"s" + controller.snapshot().packed(),
        b"l" + acknowledged.packed()[:-16],
    ]  # fmt: skip


def uplink() -> list[bytes]:
    """A key exchange, and frames of one and of two records, signed; as the target's algorithms take them."""
    exchange = b"QE" + bytes((1, 2, 2, 0x82)) + bytes((0, 1, 0, 0, 0, 1, 0, 8, 0, 8)) + bytes(16)
    frame = bytes((2, 0, 0, 5, 0, 0)) + bytes(5 + 16) + bytes(8)
    longer = bytes((1, 0, 0, 40, 0, 1)) + bytes(40 + 16) + bytes((2, 0, 0, 3, 0, 2)) + bytes(3 + 16) + bytes(8)
    return [exchange + frame, exchange + frame + longer]


def scenarios() -> list[bytes]:
    texts = (
        "devices = 2\nv = 5\n[uplink]\nbandwidth_hz = 1e6\nmax_transmit_power_w = [0.1, 0.05]\n",
        "[pqc]\nsuite = 'level5'\ndevice = 'mine'\nrekey_frames = 4\n[pqc.devices.mine]\ncore = 'cortex-m4'\n"
        "clock_hz = 1e8\nactive_power_w = 0.05\n[pqc.devices.mine.cycles.ML-KEM-1024]\n"
        "encaps = {cycles = 9, build = 'b'}\n",
        "[pqc.algorithms.Mine]\nkind = 'kem'\noutput_bytes = 9\n"
        "[pqc.framings.bare]\nfixed_bytes = 4\nrecord_header_bytes = 0\n",
    )
    return [text.encode() for text in texts]


SEEDS = {
    "report": reports, "device-reports": device_reports, "coap": coap, "journal": journal, "uplink": uplink,
    "scenario": scenarios,
}  # fmt: skip
