"""The parameters of a scenario: every key, its unit, its default and what is allowed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from enum import Enum, auto
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed, one_of
from quedge.model.security import DERIVED, SUITE_KEYS, canonical_names, derived_constants, suite_of
from quedge.pqc.profiles import MAX_RECORD_BYTES, Profiles, known_profiles
from quedge.pqc.suite import MAX_REKEY_FRAMES, Suite

ASSUMED_INTERFERENCE = ("last", "worst")

PerDevice = float | Sequence[float] | NDArray[np.float64]
"""A scalar stands for every device; a sequence gives one value a device."""


OFFLOADING = BINARY, PARTIAL = "binary", "partial"
"""What a device that offloads may do besides: nothing, or compute locally in the same frame."""


_ONLY_BINARY = (
    "battery_j", "frequency_levels", "server_frequency_hz", "rate_adaptation", "subchannels", "group_size_max",
)  # fmt: skip
"""Keys that partial offloading does not know: they tie what is sent to what is computed in ways of their own."""


class Kind(Enum):
    """What a key's value is."""

    NUMBER = auto()
    INTEGER = auto()
    FLAG = auto()
    NAME = auto()


class Parameter(NamedTuple):
    """What a scenario's key means and which values it takes. Within these ranges nothing overflows.

    Attributes:
        group: heading under which scenario files list the key.
        meaning: one line of explanation.
        unit: unit of the value; empty where it has none.
        low: smallest allowed value.
        high: largest allowed value.
        per_device: whether a list with one value a device is allowed.
        kind: what a value is; names and flags have no range.
        example: of a key that has no default, a value that it may take; else None.
        choices: of a name, those that it may be, if it is one of a few.
    """

    group: str
    meaning: str
    unit: str
    low: float
    high: float
    per_device: bool = False
    kind: Kind = Kind.NUMBER
    example: Any = None
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """The allowed values in words, as error messages give them."""
        if self.kind is Kind.NAME:
            return one_of(self.choices) if self.choices else "a name"
        if self.kind is Kind.FLAG:
            return "true or false"
        return f"at least {self.low:g} and at most {self.high:g}"

    def admits(self, value: Any) -> bool:
        """Whether `value` lies in the allowed range."""
        return bool(self.low <= value <= self.high)


def _key(default: Any, parameter: Parameter) -> Any:
    return dataclasses.field(default=default, metadata={"parameter": parameter})


def _suite_key(kind: Kind, meaning: str, example: Any, unit: str = "", low: float = 0.0, high: float = 1e6) -> Any:
    """A key that names a suite or says how it is used: without a default, since without a suite it means nothing."""
    return _key(None, Parameter("pqc", meaning, unit, low, high, kind=kind, example=example))


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One cell and its devices; the defaults are the paper's (Table I, else LyDROO's experiment).

    Every key takes the unit that its name ends in. Keys marked *per device* take a scalar for all devices or
    a sequence of length `devices`. Vary a scenario with `dataclasses.replace`. Where a suite is named, the PQC module's
    constants follow from it (docs/pqc.md): `per_device` gives them. What goes beyond the paper's model is off by
    default: correlated and imperfect channels (docs/channels.md), sub-channels, partial offloading, a finite edge
    server, batteries, several cells; and so is the deadline, by which runs are measured.

    Raises:
        ValueError: a value of the wrong type, length or range; the message names the key, the value and what
            is allowed.

    Example:
        >>> cell = quedge.Scenario(devices=3, arrival_rate_mbps=(1.0, 2.0, 3.0), power_budget_w=0.1)
        >>> print(cell.v, cell.per_device("arrival_rate_mbps"), cell.per_device("power_budget_w"))
        20.0 [1. 2. 3.] [0.1 0.1 0.1]
        >>> from dataclasses import replace
        >>> print(replace(cell, v=50.0).v)
        50.0
        >>> quedge.Scenario(bandwidth_hz=0.0)
        Traceback (most recent call last):
            ...
        ValueError: bandwidth_hz: 0.0 is not allowed; it must be at least 1 and at most 1e+12

    Source: Table I; LyDROO (Bi et al., IEEE TWC 20(11), 2021) where the paper is silent.
    """

    devices: int = _key(10, Parameter("system", "number of devices N", "", 1, 100_000, kind=Kind.INTEGER))
    cells: int = _key(
        1,
        Parameter(
            "system", "number of cells on one band; each has as many of the devices, in order", "", 1, 1000,
            kind=Kind.INTEGER,
        ),
    )  # fmt: skip
    cell_distance_m: float = _key(
        600.0, Parameter("system", "distance between neighbouring edge servers", "m", 1e-3, 1e9)
    )
    assumed_interference: str = _key(
        "last",
        Parameter(
            "system",
            "what policies take the other cells' interference for: last, that of the last frame, or worst, everybody "
            "at the highest power",
            "", 0.0, 0.0, kind=Kind.NAME, choices=ASSUMED_INTERFERENCE,
        ),
    )  # fmt: skip
    frame_s: float = _key(1.0, Parameter("system", "length T of a frame", "s", 1e-9, 1e6))
    v: float = _key(
        20.0,
        Parameter(
            "control",
            "drift-plus-penalty weight V of the rate, in a frame of 1 s; in one of T it is V·T",
            "Mbit",
            0.0,
            1e9,
        ),
    )
    nu: float = _key(
        60.0,
        Parameter(
            "control", "scaling ν of the virtual energy queue, in a frame of 1 s; in one of T it is ν·√T", "", 0.0, 1e9
        ),
    )
    queue_exponent: float = _key(
        1.0, Parameter("control", "exponent β of the data queue in the weight of a rate, Q^β + V c", "", 0.1, 2.0)
    )
    weight: PerDevice | None = _key(
        None,
        Parameter("control", "rate weight c; default 1.5 for the 1st, 3rd, 5th ... device, else 1", "", 0.0, 1e6, True),
    )
    power_budget_w: PerDevice = _key(0.08, Parameter("control", "budget γ of the mean power", "W", 1e-12, 1e6, True))
    arrival_rate_mbps: PerDevice = _key(3.0, Parameter("traffic", "mean arrival rate λ", "Mbit/s", 0.0, 1e9, True))
    deadline_s: PerDevice | None = _key(
        None,
        Parameter("traffic", "time after which a bit is late; without it, none is", "s", 0.0, 1e9, True, example=5.0),
    )
    cycles_per_bit: PerDevice = _key(
        100.0, Parameter("computing", "cycles φ to process a bit", "cycles/bit", 1e-3, 1e9, True)
    )
    energy_coefficient: PerDevice = _key(
        1e-26, Parameter("computing", "energy coefficient κ of the CPU", "J·s²/cycle³", 1e-40, 1e-10, True)
    )
    max_frequency_hz: PerDevice = _key(0.3e9, Parameter("computing", "highest CPU frequency", "Hz", 0.0, 1e12, True))
    frequency_levels: int = _key(
        0,
        Parameter(
            "computing",
            "number of CPU frequencies, whole multiples of the lowest, 0 aside; 0: any up to the highest",
            "",
            0,
            1000,
            kind=Kind.INTEGER,
        ),
    )
    idle_power_w: PerDevice = _key(
        0.0, Parameter("energy", "power that a device draws whatever it does", "W", 0.0, 1e6, True)
    )
    battery_j: PerDevice | None = _key(
        None,
        Parameter(
            "energy",
            "capacity of the battery, full at first; without it, only the mean power has a budget",
            "J",
            1e-12,
            1e12,
            True,
            example=2.0,
        ),
    )
    harvest_w: PerDevice = _key(
        0.0, Parameter("energy", "mean power that a device with a battery harvests", "W", 0.0, 1e6, True)
    )
    server_frequency_hz: float | None = _key(
        None,
        Parameter(
            "server",
            "CPU frequency of the edge server, shared by all devices; without it, the server takes no time",
            "Hz",
            1e-3,
            1e18,
            example=2e9,
        ),
    )
    server_cycles_per_bit: PerDevice | None = _key(
        None,
        Parameter(
            "server", "cycles of the edge server to process a bit; default those of the device", "cycles/bit",
            1e-3, 1e9, True, example=100.0,
        ),
    )  # fmt: skip
    result_ratio: PerDevice = _key(
        0.0, Parameter("server", "size of a result over that of its task", "", 0.0, 1e6, True)
    )
    downlink_mbps: PerDevice = _key(
        1e9, Parameter("server", "rate at which a device downloads results", "Mbit/s", 1e-9, 1e9, True)
    )
    offloading: str = _key(
        BINARY,
        Parameter(
            "computing",
            "what a device does in a frame: binary, offload or compute; partial, an offloader computes, too",
            "", 0.0, 0.0, kind=Kind.NAME, choices=OFFLOADING,
        ),
    )  # fmt: skip
    bandwidth_hz: float = _key(2e6, Parameter("uplink", "shared bandwidth W", "Hz", 1.0, 1e12))
    subchannels: int = _key(
        1,
        Parameter(
            "uplink", "number K of sub-channels, each with W/K of the bandwidth", "", 1, 1_000, kind=Kind.INTEGER
        ),
    )
    group_size_max: int | None = _key(
        None,
        Parameter(
            "uplink", "most devices on a sub-channel, whom the receiver tells apart; without it, any number",
            "", 1, 100_000, kind=Kind.INTEGER, example=4,
        ),
    )  # fmt: skip
    overhead: PerDevice = _key(1.1, Parameter("uplink", "communication overhead coefficient v_u", "", 1.0, 1e6, True))
    max_transmit_power_w: PerDevice = _key(0.1, Parameter("uplink", "highest transmit power", "W", 0.0, 1e6, True))
    noise_density_dbm_per_hz: float = _key(-174.0, Parameter("uplink", "noise power density", "dBm/Hz", -300.0, 100.0))
    estimate_error: PerDevice = _key(
        0.0,
        Parameter(
            "uplink",
            "normalised mean squared error of the channel estimates (CSI) that policies see",
            "",
            0.0,
            1.0,
            True,
        ),
    )
    outage_probability: float | None = _key(
        None,
        Parameter(
            "uplink",
            "probability with which a device's true gain may be below the one that policies plan with; without it, "
            "they plan with the estimate",
            "", 1e-9, 0.999, example=0.1,
        ),
    )  # fmt: skip
    rate_adaptation: bool = _key(
        True,
        Parameter(
            "uplink",
            "whether offloaders get the rate that the channel turns out to carry; else a rate is fixed as it was "
            "promised, and lost where the channel carries less",
            "", 0.0, 1.0, kind=Kind.FLAG,
        ),
    )  # fmt: skip
    residual_sic_share: float = _key(
        0.0,
        Parameter(
            "uplink", "share of a decoded signal's power that interferes with those decoded after it", "", 0.0, 1.0
        ),
    )
    payload_factor: PerDevice = _key(
        1.0, Parameter("pqc", "share η of task bits in the sent bitstream", "", 1e-6, 1.0, True)
    )
    pqc_power_w: PerDevice = _key(0.0, Parameter("pqc", "circuit power P_q while offloading", "W", 0.0, 1e6, True))
    pqc_energy_j_per_bit: PerDevice = _key(
        0.0, Parameter("pqc", "energy to secure one task bit, beside P_q", "J/bit", 0.0, 1.0, True)
    )
    pqc_overhead_bits: PerDevice = _key(
        0.0, Parameter("pqc", "bits that every offloading frame sends beside its task bits", "bit", 0.0, 1e12, True)
    )
    pqc_max_rate_mbps: PerDevice = _key(
        1e9, Parameter("pqc", "highest rate of task bits that the PQC module keeps up with", "Mbit/s", 0.0, 1e9, True)
    )
    suite: str | None = _suite_key(
        Kind.NAME, "suite that determines all of the above: level1, level3 or level5", "level3"
    )
    device: str | None = _suite_key(
        Kind.NAME, "device that runs the suite; `quedge pqc list` has all names", "stm32f411"
    )
    kem: str | None = _suite_key(Kind.NAME, "key encapsulation, instead of the suite's", "ML-KEM-768")
    signature: str | None = _suite_key(Kind.NAME, "signature, instead of the suite's", "ML-DSA-65")
    aead: str | None = _suite_key(Kind.NAME, "authenticated encryption", "ChaCha20-Poly1305")
    framing: str | None = _suite_key(Kind.NAME, "protocol", "pinned")
    record_bytes: int | None = _suite_key(Kind.INTEGER, "maximum data of a record", 16_384, "byte", 1, MAX_RECORD_BYTES)
    rekey_frames: int | None = _suite_key(
        Kind.INTEGER, "number of offloading frames between key exchanges", 100, "", 1, MAX_REKEY_FRAMES
    )
    sign_every_frame: bool | None = _suite_key(Kind.FLAG, "whether every frame is signed, too", False)
    masking_factor: float | None = _suite_key(
        Kind.NUMBER, "slowdown by side-channel protection of operations on a secret key", 1.0, "", 1.0, 1e6
    )
    static_power_w: float | None = _suite_key(
        Kind.NUMBER, "power of the PQC module while offloading, however much is sent", 0.0, "W"
    )
    distance_m: PerDevice | None = _key(
        None, Parameter("channel", "distance to the edge server; default evenly from 120 to 255", "m", 1e-3, 1e9, True)
    )
    antenna_gain: float = _key(3.0, Parameter("channel", "antenna gain A_d", "", 1e-9, 1e9))
    carrier_frequency_hz: float = _key(915e6, Parameter("channel", "carrier frequency f_c", "Hz", 1.0, 1e15))
    path_loss_exponent: float = _key(3.0, Parameter("channel", "path loss exponent d_e", "", 0.0, 10.0))
    frequency_selective: bool = _key(
        False,
        Parameter("channel", "whether each sub-channel fades for itself; else all alike", "", 0, 1, kind=Kind.FLAG),
    )
    line_of_sight_share: float = _key(0.3, Parameter("channel", "line-of-sight share of the mean power", "", 0.0, 1.0))
    doppler_hz: PerDevice | None = _key(
        None, Parameter("channel", "Doppler frequency of the fading; without it, frames fade independently", "Hz",
        0.0, 1e6, True, example=0.1))  # fmt: skip
    shadowing_db: PerDevice = _key(
        0.0,
        Parameter(
            "channel", "standard deviation of the log-normal shadowing, whose median is 1", "dB", 0.0, 30.0, True
        ),
    )
    shadowing_decorrelation_s: PerDevice = _key(
        10.0, Parameter("channel", "time in which the correlation of the shadowing falls to 1/e", "s", 0.0, 1e9, True)
    )
    profiles: Profiles = dataclasses.field(default_factory=known_profiles, repr=False, hash=False)

    def __post_init__(self) -> None:
        for name, parameter in PARAMETERS.items():
            value = getattr(self, name)
            if value is None and (parameter.per_device or parameter.example is not None):
                continue
            checked = _checked(name, parameter, value, self.devices)
            object.__setattr__(self, name, checked)
        self._check_suite()
        self._check_energy_and_server()
        self._check_cells()
        if self.suite is not None:
            for name, written in canonical_names(self._suite_keys, self.profiles).items():
                object.__setattr__(self, name, written)
        for name, value in self._derived.items():  # refused here, rather than on first use
            if not PARAMETERS[name].admits(value):
                allowed = PARAMETERS[name].allowed
                raise ValueError(f"suite: {self.suite!r} comes to {name} = {value:g}, which must be {allowed}")

    def _check_suite(self) -> None:
        """Refuse keys that contradict the suite, or that mean nothing without one."""
        for name in SUITE_KEYS if self.suite is None else ():
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not allowed without a suite, such as 'level3'")
        for name in () if self.suite is None else DERIVED:
            if getattr(self, name) != _DEFAULTS[name]:
                raise ValueError(
                    f"{name}: {getattr(self, name)!r} is not allowed beside the suite {self.suite!r}, from which it "
                    "follows; leave out either"
                )

    def _check_energy_and_server(self) -> None:
        """Refuse keys that mean nothing without another one."""
        for needed, others in (("battery_j", ("harvest_w",)), ("server_frequency_hz", _OF_SERVER)):
            for name in others if getattr(self, needed) is None else ():
                if getattr(self, name) != _DEFAULTS[name]:
                    raise ValueError(f"{name}: {getattr(self, name)!r} is not allowed without {needed}")
        for name in _ONLY_BINARY if self.offloading == PARTIAL else ():
            if getattr(self, name) != _DEFAULTS[name]:
                raise ValueError(f"offloading: {PARTIAL!r} is not allowed with {name}; it must be {BINARY!r}")

    def _check_cells(self) -> None:
        """Refuse devices that cannot be divided among the cells, and keys of several cells where there is one."""
        if self.devices % self.cells != 0:
            raise ValueError(f"cells: {self.cells} is not allowed; it must divide the {self.devices} devices")
        for name in ("subchannels", "group_size_max", "frequency_selective") if self.cells > 1 else ():
            if getattr(self, name) != _DEFAULTS[name]:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not allowed with several cells; leave it out")
        if not self.rate_adaptation and self.subchannels > 1:
            raise ValueError("rate_adaptation: False is not allowed with several sub-channels; it must be true")
        for name in ("cell_distance_m", "assumed_interference") if self.cells == 1 else ():
            if getattr(self, name) != _DEFAULTS[name]:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not allowed without several cells")

    def require_one_cell(self, what: str) -> None:
        """Refuse several cells where something serves one alone.

        Raises:
            ValueError: naming it.
        """
        if self.cells > 1:
            raise ValueError(f"cells: {self.cells} is not allowed in {what}, which has one cell; it must be 1")

    def cell(self, number: int) -> Scenario:
        """One of the cells alone, as a scenario of its devices."""
        own = self.devices // self.cells
        part = slice(number * own, (number + 1) * own)
        keys: dict[str, Any] = {"devices": own, "cells": 1, "distance_m": tuple(self.per_device("distance_m")[part])}
        keys |= {"weight": tuple(self.per_device("weight")[part])}
        keys |= {"cell_distance_m": _DEFAULTS["cell_distance_m"], "assumed_interference": "last"}
        for name in PARAMETERS:
            if name not in keys and isinstance(getattr(self, name), tuple):
                keys[name] = getattr(self, name)[part]
        return dataclasses.replace(self, **keys)

    @property
    def mean_power_budget_w(self) -> float:
        """Mean power budget of the devices (W)."""
        return float(self.per_device("power_budget_w").mean())

    @property
    def derived(self) -> dict[str, float]:
        """The constants of the PQC module that follow from the suite, by key; none without one."""
        return dict(self._derived)

    @cached_property
    def _derived(self) -> dict[str, float]:
        return {} if self.suite is None else derived_constants(self._suite_keys, self.frame_s, self.profiles)

    @property
    def secured_by(self) -> Suite | None:
        """The suite with the settings that the scenario replaces; None without one."""
        return None if self.suite is None else suite_of(self._suite_keys)

    @property
    def _suite_keys(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in SUITE_KEYS}

    def per_device(self, name: str) -> NDArray[np.float64]:
        """One value a device of the key `name`, defaults filled in; shape (devices,).

        Raises:
            ValueError: the key is no number, or it has no default and is not given.
        """
        if name not in PARAMETERS or PARAMETERS[name].kind in (Kind.NAME, Kind.FLAG):
            raise not_allowed("name", name, "a key whose value is a number")
        value = self._derived.get(name, getattr(self, name))
        if value is None and name in SUITE_KEYS:
            if self.secured_by is None:
                raise ValueError(f"name: {name!r} is not allowed; the scenario names no suite")
            value = getattr(self.secured_by, name)
        if value is None and name == "server_cycles_per_bit":
            value = self.cycles_per_bit
        if value is None and PARAMETERS[name].example is not None:
            raise ValueError(f"name: {name!r} is not allowed; the scenario does not give it")
        if value is None and name == "weight":
            value = np.where(np.arange(self.devices) % (self.devices // self.cells) % 2 == 0, 1.5, 1.0)
        if value is None and name == "distance_m":
            value = np.tile(np.linspace(120.0, 255.0, self.devices // self.cells), self.cells)
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (self.devices,)).copy()


PARAMETERS: dict[str, Parameter] = {
    field.name: field.metadata["parameter"] for field in dataclasses.fields(Scenario) if "parameter" in field.metadata
}
"""Every key of a scenario, in the order in which files list them."""

_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Scenario)}
_OF_SERVER = ("server_cycles_per_bit", "result_ratio", "downlink_mbps")


def _checked(name: str, parameter: Parameter, value: Any, devices: int) -> Any:
    """`value` as the record keeps it (int, float, bool, str or tuple of floats), or a ValueError."""
    if parameter.kind in (Kind.NAME, Kind.FLAG):
        of_kind = isinstance(value, str if parameter.kind is Kind.NAME else bool)
        if not of_kind or (parameter.choices and value not in parameter.choices):
            raise not_allowed(name, value, parameter.allowed)
        return value
    if parameter.kind is Kind.INTEGER:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise not_allowed(name, value, f"an integer, {parameter.allowed}")
        return int(_admitted(name, parameter, value))
    if _is_number(value):
        return float(_admitted(name, parameter, value))
    if not (parameter.per_device and isinstance(value, (list, tuple, np.ndarray)) and np.ndim(value) == 1):
        expected = "a number or a list with one number per device" if parameter.per_device else "a number"
        raise not_allowed(name, value, f"{expected}, {parameter.allowed}")
    if len(value) != devices:
        raise ValueError(
            f"{name}: a list of {len(value)} values is not allowed; it must hold one value for each of the "
            f"{devices} devices"
        )
    for position, each in enumerate(value):
        if not _is_number(each) or not parameter.admits(each):
            raise not_allowed(f"{name}[{position}]", each, f"a number, {parameter.allowed}")
    return tuple(float(each) for each in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _admitted(name: str, parameter: Parameter, value: Any) -> Any:
    if not parameter.admits(value):
        raise not_allowed(name, value, parameter.allowed)
    return value
