"""The emulation: what arrives is what was sent, in as many bytes as the suite's sizes predict."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from quedge.pqc.costs import traffic_of
from quedge.pqc.suite import SUITES, Suite
from quedge.pqc.uplink import emulation, loopback
from quedge.pqc.uplink.emulation import emulate
from quedge.pqc.uplink.loopback import EmulationError, Link, Verdict
from quedge.pqc.uplink.server import Session
from tests.pqc.uplink.parties import SMALL, flipped, sent, uplink

QUICK = dataclasses.replace(SUITES["level3"], rekey_frames=10)


def no_server_runs() -> bool:
    return all(thread.name != "quedge-server" for thread in threading.enumerate())


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("mbit", [0.1, 1, 3, 10])
@pytest.mark.parametrize("rekey_frames", [1, 10, 100])
def test_the_predicted_payload_factor_is_that_of_the_bytes_on_the_wire(
    name: str, mbit: float, rekey_frames: int
) -> None:
    suite = dataclasses.replace(SUITES[name], rekey_frames=rekey_frames)
    bits = round(mbit * 1e6)
    found = emulate(suite, bits, frames=rekey_frames)
    assert found.payload_factor_measured == pytest.approx(traffic_of(suite).payload_factor(bits), abs=1e-9)
    assert found.payload_factor_predicted == pytest.approx(traffic_of(suite).payload_factor(bits), abs=1e-12)
    assert (found.accepted, found.rejected, found.key_exchanges) == (rekey_frames, 0, 1)
    assert found.task_bytes / found.bytes_on_wire == found.payload_factor_measured


@pytest.mark.parametrize(
    "suite",
    [
        dataclasses.replace(QUICK, sign_every_frame=True),
        dataclasses.replace(QUICK, aead="AES-256-GCM-HW", record_bytes=1200),
        Suite("HQC-128", "SLH-DSA-SHA2-128f", rekey_frames=3),
        Suite("ML-KEM-768", "SLH-DSA-SHA2-256f", "AES-256-GCM-CT", rekey_frames=3),  # the longest signature
    ],
    ids=["every frame signed", "AES-GCM, small records", "HQC and SLH-DSA", "SLH-DSA-SHA2-256f"],
)
def test_frames_that_are_no_multiple_of_the_interval_are_predicted_too(suite: Suite) -> None:
    bits, frames = 80_008, 25 if suite.rekey_frames == 10 else 4
    found = emulate(suite, bits, frames)
    traffic, exchanges = traffic_of(suite), -(-frames // suite.rekey_frames)
    records = -(-10_001 // suite.record_bytes)
    wire = frames * (10_001 + records * 22 + traffic.frame_bytes) + exchanges * traffic.rekey_bytes
    assert (found.key_exchanges, found.bytes_on_wire) == (exchanges, wire)
    assert found.payload_factor_measured == pytest.approx(found.payload_factor_predicted, abs=1e-12)
    assert found.payload_factor_predicted == pytest.approx(frames * 10_001 / wire, abs=1e-12)


def test_every_damaged_frame_is_rejected_and_costs_its_session() -> None:
    found = emulate(dataclasses.replace(QUICK, record_bytes=100), 8_000, frames=400, damage=0.1, seed=3)
    assert 20 <= found.rejected <= 70
    assert found.accepted == 400 - found.rejected
    assert found.key_exchanges >= found.rejected
    assert found.task_bytes == found.accepted * 1000


def test_damage_does_not_blur_the_payload_factor() -> None:
    found = emulate(QUICK, 80_000, frames=300, damage=0.05)
    assert found.rejected > 0
    assert 0 < found.frames_measured < found.accepted
    assert found.frames_measured % QUICK.rekey_frames == 0
    assert found.payload_factor_measured == pytest.approx(traffic_of(QUICK).payload_factor(80_000), abs=1e-12)


def test_without_an_undamaged_interval_nothing_is_measured() -> None:
    found = emulate(QUICK, 8_000, frames=20, damage=0.9)
    assert found.payload_factor_measured is None
    assert found.frames_measured == 0


def test_the_same_seed_damages_the_same_bits() -> None:
    first, again = (emulate(QUICK, 8_000, frames=60, damage=0.2, seed=5) for _ in range(2))
    other = emulate(QUICK, 8_000, frames=60, damage=0.2, seed=6)
    assert (first.rejected, first.bytes_on_wire) == (again.rejected, again.bytes_on_wire)
    assert first.bytes_on_wire != other.bytes_on_wire


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"task_bits": 12}, "task_bits: 12 is not allowed"),
        ({"task_bits": 0}, "task_bits: 0 is not allowed"),
        ({"task_bits": 8_000_000_000}, "at most 1000000000"),
        ({"frames": 0}, "frames: 0 is not allowed"),
        ({"damage": 1.0}, "damage: 1.0 is not allowed"),
        ({"suite": dataclasses.replace(QUICK, framing="cose")}, "framing: 'cose' cannot be emulated"),
    ],
)
def test_what_cannot_be_emulated_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        emulate(**{"suite": QUICK, "task_bits": 8_000, "frames": 1} | values)  # type: ignore[arg-type]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, RuntimeError])
def test_nothing_is_left_running_after_an_interruption(raised: type[BaseException]) -> None:
    def interrupt(done: int) -> None:
        if done == 3:
            raise raised

    with pytest.raises(raised):
        emulate(QUICK, 8_000, frames=100, progress=interrupt)
    assert no_server_runs()


@pytest.mark.parametrize(
    ("given", "message"), [(b"other data", "gave other data"), (None, "rejected an undamaged frame: why")]
)
def test_a_server_that_gives_back_something_else_is_found_out(
    given: bytes | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Link, "verdict", lambda link: Verdict(given, "why", 10, 10))
    with pytest.raises(EmulationError, match=message):
        emulate(QUICK, 8_000, frames=1)
    assert no_server_runs()


def test_a_server_that_accepts_damage_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulation, "_damaged", lambda records, rng: records)
    with pytest.raises(EmulationError, match="accepted a damaged frame"):
        emulate(QUICK, 8_000, frames=50, damage=0.5)
    assert no_server_runs()


def test_a_length_that_is_turned_upwards_does_not_keep_the_server_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def longer(records: list[bytes], rng: object) -> list[bytes]:
        return [*records[:-1], flipped(records[-1], 8 * 2 + 4)]  # 1000 bytes become 5096

    def told(link: Link) -> Verdict:
        reasons.append((found := verdict(link)).reason)
        return found

    reasons: list[str] = []
    verdict = Link.verdict
    monkeypatch.setattr(loopback, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(emulation, "_damaged", longer)
    monkeypatch.setattr(Link, "verdict", told)
    emulate(QUICK, 8_000, frames=20, damage=0.5)
    assert set(reasons) == {"", "frame: more data than is taken"}


def test_a_mistake_in_the_servers_thread_is_raised_where_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(session: Session, read: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(Session, "receive", fail)
    with pytest.raises(ZeroDivisionError):
        emulate(QUICK, 8_000, frames=1)
    assert no_server_runs()


def test_a_server_that_is_never_sent_the_rest_rejects_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = loopback._connected_pair()
    near.settimeout(5)
    far.settimeout(0.1)
    monkeypatch.setattr(loopback, "_connected_pair", lambda: (near, far))
    pair, answer = uplink(SMALL), []
    with Link(pair.server) as link:
        link.send([sent(pair.device.seal(bytes(10)))[:-1]])
        answer.append(link.verdict().reason)
    assert answer == ["stream: nothing came in time"]
    assert no_server_runs()


def test_a_refused_connection_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("socket.create_connection", refuse)
    with pytest.raises(EmulationError, match="Connection refused"):
        emulate(QUICK, 8_000, frames=1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((8, 2.5), "frames: 2.5 is not allowed; it must be an integer"),
        ((8, True), "frames: True is not allowed"),
        ((8.0, 2), "task_bits: 8.0 is not allowed"),
        ((12, 2), "task_bits: 12 is not allowed; it must be a multiple of 8"),
        ((8, 2, "x"), "damage: 'x' is not allowed"),
        ((8, 2, 1.0), "damage: 1.0 is not allowed"),
    ],
)
def test_what_is_no_emulation_is_refused(arguments: tuple, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}"):
        emulate(QUICK, *arguments)
