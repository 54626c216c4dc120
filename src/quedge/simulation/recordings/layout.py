"""How a recording is written, where it is not as quedge writes one: names, unit, separator, rows that are missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from quedge.errors import not_allowed, one_of
from quedge.model.kernels import Floats

COLUMNS = ("frame", "device", "channel_gain", "arrival_mbit")
"""What a recording may hold, by quedge's names."""

GAIN_UNITS = ("ratio", "db", "loss-db", "amplitude", "dbm:POWER")
ABSENT = ("refused", "keep", "drop")
ARRIVALS = ("complete", "sparse")


@dataclass(frozen=True)
class Layout:
    """How a recording is written.

    Attributes:
        delimiter: what stands between the cells of a text file, one character; without it the one of comma, semicolon,
            tab, bar and blank under which the header has the columns that are needed.
        columns: names in the file of columns or variables, by quedge's names `frame`, `device`, `channel_gain` and
            `arrival_mbit`; a file that lacks one may have quedge's own.
        gain_unit: of channel gains: `ratio` (W/W), `db`, `loss-db` (a path loss), `amplitude` (the magnitude of the
            field, whose square is the gain), or `dbm:POWER`, a received power in dBm where POWER dBm are sent (RSRP).
        absent: what a missing row, or a blank gain, of a channel recording is: `refused`, or a device that is away: it
            is out of coverage, and arrivals that are missing, too, are 0. Meanwhile it computes what its queue holds
            (`keep`), or its queue is dropped as it goes (`drop`).
        arrivals: `complete`, or `sparse`: a missing row, or a blank, of arrivals is nothing that arrived.
    """

    delimiter: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    gain_unit: str = "ratio"
    absent: str = "refused"
    arrivals: str = "complete"

    def __post_init__(self) -> None:
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise not_allowed("delimiter", self.delimiter, "one character, and no quote or line break")
        for name in self.columns:
            if name not in COLUMNS:
                raise not_allowed("columns", name, one_of(COLUMNS))
        for name, value, allowed in (("absent", self.absent, ABSENT), ("arrivals", self.arrivals, ARRIVALS)):
            if value not in allowed:
                raise not_allowed(name, value, one_of(allowed))
        if self.gain_unit not in GAIN_UNITS[:-1] and self._sent_dbm is None:
            raise not_allowed("gain_unit", self.gain_unit, one_of(GAIN_UNITS))

    @classmethod
    def of(cls, texts: Sequence[str]) -> Layout:
        """A layout from `KEY=VALUE` texts, whose keys are the attributes, but of `columns` quedge's names.

        Raises:
            ValueError: a text that is none, or a key or value that is not allowed.
        """
        keys: dict[str, str] = {}
        for text in texts:
            key, equals, value = text.partition("=")
            if not equals or key not in (*COLUMNS, *_KEYS) or not value:
                allowed = f"KEY=VALUE with a key that is {one_of((*_KEYS, *COLUMNS))}"
                raise ValueError(f"{text[:60]!r} is not allowed; it must be {allowed}")
            keys[key] = value
        if keys.get("delimiter") in _NAMED:
            keys["delimiter"] = _NAMED[keys["delimiter"]]
        columns = {name: keys.pop(name) for name in COLUMNS if name in keys}
        return cls(columns=columns, **keys)

    def name(self, column: str, found: Sequence[str]) -> str:
        """The name that a column has among those that are found; where it has none, the one that it should have."""
        own = self.columns.get(column, column)
        return column if own not in found and column in found else own

    def gains(self, recorded: Floats) -> Floats:
        """Power gains (W/W) from what is recorded of them."""
        if self.gain_unit == "ratio":
            return recorded
        with np.errstate(over="ignore"):  # an infinite gain is refused with its place
            if self.gain_unit == "amplitude":
                return np.asarray(np.square(recorded))
            gain_db = -recorded if self.gain_unit == "loss-db" else recorded - (self._sent_dbm or 0.0)
            return np.asarray(10.0 ** (gain_db / 10.0))

    @property
    def no_gain(self) -> float:
        """What stands for a gain of 0 in the unit of gains."""
        if self.gain_unit in ("ratio", "amplitude"):
            return 0.0
        return math.inf if self.gain_unit == "loss-db" else -math.inf

    @property
    def _sent_dbm(self) -> float | None:
        unit, colon, power = self.gain_unit.partition(":")
        try:
            sent = float(power) if unit == "dbm" and colon else math.nan
        except ValueError:
            return None
        return sent if math.isfinite(sent) else None


_KEYS = ("delimiter", "gain_unit", "absent", "arrivals")
_NAMED = {"tab": "\t", "blank": " ", "comma": ",", "semicolon": ";"}
"""Delimiters that are hard to give to a shell."""

PLAIN = Layout()
"""A recording as quedge writes it."""
