"""From a scenario's suite to the constants of the PQC module."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from quedge.errors import not_allowed, one_of
from quedge.pqc.costs import effort_of, traffic_of
from quedge.pqc.profiles import Profiles
from quedge.pqc.suite import SUITES, Suite

DERIVED = ("payload_factor", "pqc_power_w", "pqc_energy_j_per_bit", "pqc_overhead_bits", "pqc_max_rate_mbps")
"""The constants that follow from a suite."""

SUITE_KEYS = ("suite", "device", *(field.name for field in dataclasses.fields(Suite)))
"""The keys that name a suite and say how it is used."""

BITS_PER_MBIT = 1e6


def suite_of(keys: Mapping[str, Any]) -> Suite:
    """The suite that a scenario's `SUITE_KEYS` name, with the settings that they replace.

    Raises:
        ValueError: the message names the key, the value and what is allowed.
    """
    preset = SUITES.get(str(keys["suite"]).casefold())
    if preset is None:
        raise not_allowed("suite", keys["suite"], one_of(SUITES))
    settings = {field.name: keys[field.name] for field in dataclasses.fields(Suite)}
    return dataclasses.replace(preset, **{key: value for key, value in settings.items() if value is not None})


def canonical_names(keys: Mapping[str, Any], profiles: Profiles) -> dict[str, str]:
    """The names that a scenario's `SUITE_KEYS` give, as suites and profiles write them.

    Raises:
        ValueError: an unknown name; the message names the key, the name and what is allowed.
    """
    suite_of(keys)
    names = {"suite": str(keys["suite"]).casefold()}
    for key in ("kem", "signature", "aead"):
        if keys[key] is not None:
            names[key] = profiles.algorithm(key, key, keys[key]).name
    if keys["framing"] is not None:
        names["framing"] = profiles.framing("framing", keys["framing"]).name
    if keys["device"] is not None:
        names["device"] = profiles.device("device", keys["device"]).name
    return names


def derived_constants(keys: Mapping[str, Any], frame_s: float, profiles: Profiles) -> dict[str, float]:
    """The constants that a suite on a device comes to, as a scenario has them.

    Bytes on the wire are taken as affine in the task bits, which is exact but for the rounding up of a frame's
    records: `payload_factor` is the share of data in full records, `pqc_overhead_bits` what a frame sends beside.

    Args:
        keys: the scenario's `SUITE_KEYS`, its suite named.
        frame_s: frame length (s).
        profiles: algorithms, devices and framings.

    Raises:
        ValueError: an unknown name, a number that no source gives, or a device that cannot keep up; the message names
            the key, the value and what is allowed.
    """
    suite = suite_of(keys)
    if keys["device"] is None:
        names = ", ".join(row.name for row in profiles.devices)
        raise ValueError(f"device: is missing; the suite {keys['suite']!r} needs one of {names}")
    traffic, effort = traffic_of(suite, profiles), effort_of(suite, keys["device"], profiles)
    max_rate_bps = effort.max_rate_bps(frame_s)
    if max_rate_bps <= 0.0:
        share = effort.cpu_share(0.0, frame_s)
        raise ValueError(
            f"device: {keys['device']!r} is not allowed; at a key exchange every {suite.rekey_frames} frames of "
            f"{frame_s:g} s the suite {keys['suite']!r} asks it for {share:.3g} times the cycles that it has"
        )
    power = effort.power(0.0, frame_s)
    return {
        "payload_factor": traffic.record_share,
        "pqc_power_w": power.static + power.rekey + power.frame_signature,
        "pqc_energy_j_per_bit": effort.energy_j_per_bit,
        "pqc_overhead_bits": traffic.overhead_bits,
        "pqc_max_rate_mbps": max_rate_bps / BITS_PER_MBIT,
    }
