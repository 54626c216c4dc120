"""Algorithms, devices and framings as data: sizes, cycles and power, each with its source; empty where none is."""

from __future__ import annotations

import csv
import dataclasses
import difflib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal, TypeVar

from quedge.errors import not_allowed, one_of

OPERATIONS = {
    "kem": ("keygen", "encaps", "decaps"),
    "signature": ("keygen", "sign", "verify"),
    "aead": ("byte",),
    "hash": ("byte",),
}
"""What cycles are counted of, by kind of algorithm; of an AEAD and a hash those of one byte."""

MAX_RECORD_BYTES = (1 << 24) - 1
"""What three bytes of a record's length can tell."""

KEY_EXCHANGES = ("encapsulate", "ephemeral")
"""How a device agrees on a secret: encapsulation to the server's pinned key, or a fresh key of its own."""


class MissingNumberError(ValueError):
    """A number that no source gives was asked for; the message says which one and how to supply it."""


@dataclass(frozen=True)
class Algorithm:
    """An algorithm and its sizes.

    Attributes:
        name: its standard's name.
        kind: "kem", "signature", "aead" or "hash".
        output_bytes: what it gives: ciphertext, signature, authentication tag or digest.
        public_key_bytes: public key; None where it has none.
        nist_level: NIST security category; None where it has none.
        blocks_per_key: most blocks of 16 bytes that one key of an AEAD may encrypt, each record counting one more than
            it has; None where sequence numbers are used up before any limit is met.
        source: where the numbers come from.
    """

    name: str
    kind: Literal["kem", "signature", "aead", "hash"]
    output_bytes: int
    public_key_bytes: int | None = None
    nist_level: int | None = None
    blocks_per_key: int | None = None
    source: str = ""


@dataclass(frozen=True)
class Cycles:
    """What an operation takes on a device or core.

    Attributes:
        runs_on: name of a device, or of a core where it holds for all devices that have it.
        algorithm: name of the algorithm.
        operation: one of its kind's `OPERATIONS`.
        cycles: clock cycles of one operation, of one byte for an AEAD and a hash; a mean where they vary.
        source: where the number comes from.
        build: which code was counted, and how it was compiled; empty where the source does not tell.
    """

    runs_on: str
    algorithm: str
    operation: str
    cycles: float
    source: str = ""
    build: str = ""


@dataclass(frozen=True)
class Device:
    """What runs the algorithms.

    Attributes:
        name: what a scenario calls it.
        title: what it is.
        core: whose cycles it has where none of its own are known.
        clock_hz: clock (Hz); None where it is not known.
        active_power_w: power while it computes (W); None where it is not known.
        source: where the power comes from.
    """

    name: str
    title: str = ""
    core: str = ""
    clock_hz: float | None = None
    active_power_w: float | None = None
    source: str = ""


@dataclass(frozen=True)
class Framing:
    """What a protocol sends, uplink, beside the data, and what its device computes for that.

    Attributes:
        name: what a scenario calls it.
        fixed_bytes: of each key exchange, beside keys, ciphertexts and signatures.
        record_header_bytes: of each record, beside the authentication tag.
        key_exchange: one of `KEY_EXCHANGES`: the device sends a ciphertext, or a public key of the KEM.
        public_keys: number of signature public keys that the device sends in each key exchange.
        signatures: number of signatures that it sends; it makes one itself, the others are in its certificate.
        verifications: number of signatures that it verifies.
        most_record_bytes: most data that a record may hold.
        source: where the numbers come from.
    """

    name: str
    fixed_bytes: int
    record_header_bytes: int
    key_exchange: Literal["encapsulate", "ephemeral"] = "encapsulate"
    public_keys: int = 0
    signatures: int = 1
    verifications: int = 0
    most_record_bytes: int = MAX_RECORD_BYTES
    source: str = ""


Row = TypeVar("Row", Algorithm, Device, Framing)


@dataclass(frozen=True)
class Profiles:
    """All rows that a suite can be made of.

    Attributes:
        algorithms: sizes.
        cycles: cycle counts.
        devices: clocks and powers.
        framings: protocols.
    """

    algorithms: tuple[Algorithm, ...]
    cycles: tuple[Cycles, ...]
    devices: tuple[Device, ...]
    framings: tuple[Framing, ...]

    def algorithm(self, key: str, kind: str, name: str) -> Algorithm:
        """An algorithm of a kind by name, in any case of letters.

        Raises:
            ValueError: there is none; the message starts with `key`.
        """
        return _named(key, name, [row for row in self.algorithms if row.kind == kind])

    def device(self, key: str, name: str) -> Device:
        """A device by name; as `algorithm`."""
        return _named(key, name, self.devices)

    def framing(self, key: str, name: str) -> Framing:
        """A framing by name; as `algorithm`."""
        return _named(key, name, self.framings)

    def found(self, places: Iterable[str], algorithm: Algorithm, operation: str) -> Cycles | None:
        """The cycles of an operation in the first of some places, devices or cores, that has them; None without."""
        counts = {
            row.runs_on.casefold(): row
            for row in self.cycles
            if (row.algorithm, row.operation) == (algorithm.name, operation)
        }
        return next((counts[place.casefold()] for place in places if place.casefold() in counts), None)

    def counted(self, device: Device, algorithm: Algorithm, operation: str) -> Cycles:
        """The cycles of an operation on a device, of its own or else its core's.

        Raises:
            MissingNumberError: no source gives them.
        """
        row = self.found((device.name, device.core), algorithm, operation)
        if row is not None:
            return row
        what = "a byte" if operation == "byte" else operation
        raise MissingNumberError(
            f"device: no source gives the cycles of {algorithm.name} ({what}) on {device.name}; a scenario file may: "
            f"[pqc.devices.{device.name}.cycles.{algorithm.name}] {operation} = ..."
        )

    def with_rows(self, algorithms: Iterable[Algorithm] = (), cycles: Iterable[Cycles] = (),
                  devices: Iterable[Device] = (), framings: Iterable[Framing] = ()) -> Profiles:  # fmt: skip
        """These rows with others added; one of the same name takes the place of the one that is here."""
        counts = {(row.runs_on, row.algorithm, row.operation): row for row in (*self.cycles, *cycles)}
        return Profiles(
            _replaced(self.algorithms, algorithms),
            tuple(counts.values()),
            _replaced(self.devices, devices),
            _replaced(self.framings, framings),
        )


@functools.cache
def known_profiles() -> Profiles:
    """The rows that come with the package."""
    sources = {line["source"]: line["text"] for line in _lines("sources.csv")}

    def rows(kind: Any, file: str, **renamed: str) -> tuple[Any, ...]:
        return tuple(_row(kind, line, sources, renamed) for line in _lines(file))

    return Profiles(
        rows(Algorithm, "algorithms.csv", name="algorithm"),
        rows(Cycles, "cycles.csv"),
        rows(Device, "devices.csv", name="device"),
        rows(Framing, "framings.csv", name="framing"),
    )


def _row(kind: Any, line: Mapping[str, str], sources: Mapping[str, str], renamed: Mapping[str, str]) -> Any:
    """One line of a file as a record; an empty cell is a number that is not known."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        text = line[renamed.get(field.name, field.name)]
        if field.name == "source":
            values[field.name] = sources[text]
        elif "int" in str(field.type):
            values[field.name] = int(text) if text else None
        elif "float" in str(field.type):
            values[field.name] = float(text) if text else None
        else:
            values[field.name] = text
    return kind(**values)


def _lines(file: str) -> Iterator[Mapping[str, str]]:
    text = files("quedge").joinpath("pqc", "data", file).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


def _named(key: str, name: str, rows: Sequence[Row]) -> Row:
    for row in rows:
        if row.name.casefold() == str(name).casefold():
            return row
    names = [row.name for row in rows]
    close = difflib.get_close_matches(str(name), names, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    raise not_allowed(key, name, one_of(names) + meant)


def _replaced(here: Sequence[Row], others: Iterable[Row]) -> tuple[Row, ...]:
    rows = {row.name: row for row in here}
    rows.update({row.name: row for row in others})
    return tuple(rows.values())
