"""From a suite and a device to what an uplink pays: bytes on the wire, power and processor time.

Of B task bits that a device offloads in a frame of length T, with records of at most R bytes,

    wire bytes = B/8 + n (header + tag) + S + H/K                       n = ⌈(B/8) / R⌉
    η(B)       = (B/8) / wire bytes
    P_q(B)     = static + e c B / 8T + e (C / K + C_S) / T               e = active power / clock

with H bytes and C cycles of a key exchange, which happens every K offloading frames, S bytes and C_S cycles of a
frame's signature where every frame is signed, and c cycles of the AEAD a byte (and of the hash that is signed then).
All of it is charged to frames in which a device offloads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from quedge.errors import is_number, not_allowed
from quedge.pqc.key_limits import check_key_use
from quedge.pqc.profiles import Algorithm, Cycles, Framing, MissingNumberError, Profiles, known_profiles
from quedge.pqc.suite import Suite, hash_of

Number = TypeVar("Number", int, float)

BITS_PER_BYTE = 8


@dataclass(frozen=True)
class Traffic:
    """What a suite sends in addition to the data; a ValueError where it is asked about less than 0 bits, or no number.

    Attributes:
        record_bytes: most data in a record, R.
        record_overhead_bytes: header and tag of a record.
        frame_bytes: signature of each frame, S; 0 without.
        rekey_bytes: of a key exchange, uplink, H.
        rekey_frames: K.
        sources: where the sizes come from, by what they are of.
    """

    record_bytes: int
    record_overhead_bytes: int
    frame_bytes: int
    rekey_bytes: int
    rekey_frames: int
    sources: tuple[tuple[str, str], ...]

    def records(self, task_bits: float) -> int:
        """Records of a frame with so many task bits."""
        check_bits(task_bits)
        return math.ceil(task_bits / BITS_PER_BYTE / self.record_bytes)

    def wire_bytes(self, task_bits: float) -> float:
        """Bytes on the wire for the task bits of a frame, with its share of the key exchange."""
        records, payload = self.records(task_bits), task_bits / BITS_PER_BYTE
        return payload + records * self.record_overhead_bytes + self.frame_bytes + self.rekey_bytes / self.rekey_frames

    def payload_factor(self, task_bits: float) -> float:
        """η(B): the share of task bits in what a frame sends; 0 where it has none."""
        wire_bytes = self.wire_bytes(task_bits)
        return task_bits / BITS_PER_BYTE / wire_bytes

    @property
    def record_share(self) -> float:
        """Share of data in a full record: what η(B) rises to as a frame's bits grow and keys are kept."""
        return self.record_bytes / (self.record_bytes + self.record_overhead_bytes)

    @property
    def overhead_bits(self) -> float:
        """Bits that each offloading frame sends beside full records.

        With this many, and `record_share` of the rest, wire bytes are affine in the task bits. The records of a frame
        are rounded up, ⌈b/R⌉ < b/R + 1; counting one more is never too little, and by no more than one record's
        overhead too much.
        """
        beside = self.record_overhead_bytes + self.frame_bytes + self.rekey_bytes / self.rekey_frames
        return BITS_PER_BYTE * beside


class Power(NamedTuple):
    """P_q of a frame in its parts (W).

    Attributes:
        static: whatever is sent.
        bits: encryption, in proportion to the bits.
        rekey: this frame's share of the key exchange.
        frame_signature: signature of every frame.
    """

    static: float
    bits: float
    rekey: float
    frame_signature: float


@dataclass(frozen=True)
class Effort:
    """What a suite asks of a device; a ValueError for less than 0 bits, a frame without length, or no number.

    Attributes:
        clock_hz: the device's clock.
        energy_j_per_cycle: its energy a cycle.
        cycles_per_byte: of the AEAD and, where every frame is signed, of its hash.
        rekey_cycles: of a key exchange.
        frame_cycles: of a frame's signature; 0 without.
        rekey_frames: K.
        static_power_w: power whatever is sent.
        sources: where the numbers come from, by what they are of.
    """

    clock_hz: float
    energy_j_per_cycle: float
    cycles_per_byte: float
    rekey_cycles: float
    frame_cycles: float
    rekey_frames: int
    static_power_w: float
    sources: tuple[tuple[str, str], ...]

    @property
    def energy_j_per_bit(self) -> float:
        """Energy that one task bit costs, beside what a frame costs (J)."""
        return self.cycles_per_byte * self.energy_j_per_cycle / BITS_PER_BYTE

    def power(self, task_bits: float, frame_s: float) -> Power:
        """P_q of a frame in which a device offloads so many bits, in its parts (W)."""
        check_bits(task_bits)
        _check_frame(frame_s)
        each_cycle_w = self.energy_j_per_cycle / frame_s
        return Power(
            self.static_power_w,
            task_bits * self.energy_j_per_bit / frame_s,
            self.rekey_cycles / self.rekey_frames * each_cycle_w,
            self.frame_cycles * each_cycle_w,
        )

    def cpu_share(self, task_bits: float, frame_s: float) -> float:
        """Cycles of a frame over those that the device has; feasible up to 1.

        A key exchange is spread over the K frames: it need not fit into the first.
        """
        check_bits(task_bits)
        _check_frame(frame_s)
        cycles = self.cycles_per_byte * task_bits / BITS_PER_BYTE + self._fixed_cycles
        return cycles / (self.clock_hz * frame_s)

    def max_rate_bps(self, frame_s: float) -> float:
        """The highest rate of task bits that the device keeps up with (bit/s); not positive where it never does."""
        _check_frame(frame_s)
        left = self.clock_hz - self._fixed_cycles / frame_s
        return left * BITS_PER_BYTE / self.cycles_per_byte

    @property
    def _fixed_cycles(self) -> float:
        return self.rekey_cycles / self.rekey_frames + self.frame_cycles


class _Parts(NamedTuple):
    """A suite's algorithms and framing, as rows of the profiles."""

    kem: Algorithm
    signature: Algorithm
    aead: Algorithm
    framing: Framing

    @classmethod
    def of(cls, suite: Suite, profiles: Profiles) -> _Parts:
        parts = cls(
            profiles.algorithm("kem", "kem", suite.kem),
            profiles.algorithm("signature", "signature", suite.signature),
            profiles.algorithm("aead", "aead", suite.aead),
            profiles.framing("framing", suite.framing),
        )
        if suite.record_bytes > parts.framing.most_record_bytes:
            raise ValueError(
                f"record_bytes: {suite.record_bytes} is not allowed; with the framing {parts.framing.name} it must be "
                f"at most {parts.framing.most_record_bytes}"
            )
        check_key_use(suite, parts.aead)
        return parts


def traffic_of(suite: Suite, profiles: Profiles | None = None) -> Traffic:
    """What a suite sends.

    Raises:
        MissingNumberError: a size that no source gives; the message says which one and how to supply it.
        ValueError: an unknown name, records that the framing does not have, or so many frames with one key that it
            would encrypt more than it may; the message names the key, the value and what is allowed.
    """
    profiles = known_profiles() if profiles is None else profiles
    kem, signature, aead, framing = _Parts.of(suite, profiles)
    exchanged = kem.output_bytes
    if framing.key_exchange == "ephemeral":
        exchanged = _known("kem", kem.public_key_bytes, "algorithms", kem.name, "public_key_bytes")
    if framing.public_keys:
        key_bytes = _known("signature", signature.public_key_bytes, "algorithms", signature.name, "public_key_bytes")
        exchanged += framing.public_keys * key_bytes
    return Traffic(
        record_bytes=suite.record_bytes,
        record_overhead_bytes=framing.record_header_bytes + aead.output_bytes,
        frame_bytes=signature.output_bytes if suite.sign_every_frame else 0,
        rekey_bytes=framing.fixed_bytes + exchanged + framing.signatures * signature.output_bytes,
        rekey_frames=suite.rekey_frames,
        sources=tuple((row.name, row.source) for row in (kem, signature, aead, framing)),
    )


def effort_of(suite: Suite, device: str, profiles: Profiles | None = None) -> Effort:
    """What a suite asks of a device.

    Raises:
        MissingNumberError: a number that no source gives; the message says which one and how to supply it.
        ValueError: as `traffic_of`.
    """
    profiles = known_profiles() if profiles is None else profiles
    runs = profiles.device("device", device)
    kem, signature, aead, framing = _Parts.of(suite, profiles)
    clock = _known("device", runs.clock_hz, "devices", runs.name, "clock_hz")
    power = _known("device", runs.active_power_w, "devices", runs.name, "active_power_w")
    used: dict[Cycles, None] = {}

    def cycles(algorithm: Algorithm, operation: str) -> float:
        row = profiles.counted(runs, algorithm, operation)
        used[row] = None
        return row.cycles

    if framing.key_exchange == "ephemeral":
        exchange = suite.masking_factor * (cycles(kem, "keygen") + cycles(kem, "decaps"))
    else:
        exchange = cycles(kem, "encaps")
    if framing.signatures:
        exchange += suite.masking_factor * cycles(signature, "sign")
    if framing.verifications:
        exchange += framing.verifications * cycles(signature, "verify")
    cycles_per_byte, frame_cycles = cycles(aead, "byte"), 0.0
    if suite.sign_every_frame:
        frame_cycles = suite.masking_factor * cycles(signature, "sign")
        cycles_per_byte += cycles(profiles.algorithm("hash", "hash", hash_of(kem, signature)), "byte")
    return Effort(
        clock_hz=clock,
        energy_j_per_cycle=power / clock,
        cycles_per_byte=cycles_per_byte,
        rekey_cycles=exchange,
        frame_cycles=frame_cycles,
        rekey_frames=suite.rekey_frames,
        static_power_w=suite.static_power_w,
        sources=(
            *((f"{row.algorithm} {row.operation}", _provenance(row)) for row in used),
            (f"{runs.name} power", runs.source),
        ),
    )


def _provenance(row: Cycles) -> str:
    """Which code a count is of, where it comes from, and what it ran on."""
    build = f"{row.build}; " if row.build else ""
    return f"{build}{row.source} ({row.runs_on})"


def check_bits(task_bits: float) -> None:
    """Refuse anything but a number of bits; a ValueError names the value."""
    if not (is_number(task_bits) and task_bits >= 0.0):
        raise not_allowed("task_bits", task_bits, "a number, at least 0")


def _check_frame(frame_s: float) -> None:
    if not (is_number(frame_s) and frame_s > 0.0):
        raise not_allowed("frame_s", frame_s, "a number above 0")


def _known(key: str, value: Number | None, table: str, name: str, field: str) -> Number:
    if value is None:
        raise MissingNumberError(
            f"{key}: no source gives the {field} of {name}; a scenario file may: [pqc.{table}.{name}] {field} = ..."
        )
    return value
