"""Names of a scenario's keys in figures and tables: the symbols of docs/notation.md, with words and units."""

from __future__ import annotations

from typing import Any, NamedTuple

from quedge.model.scenario import PARAMETERS


class Symbol(NamedTuple):
    """How a key is written in figures and tables: in a few words, and by the notation's symbol, if it has one."""

    words: str
    symbol: str = ""


SYMBOLS = {
    "devices": Symbol("number of devices", "N"),
    "cells": Symbol("number of cells", "M"),
    "cell_distance_m": Symbol("distance between cells", "D"),
    "assumed_interference": Symbol("assumed interference"),
    "frame_s": Symbol("frame length", "T"),
    "v": Symbol("weight of the rate", "V"),
    "nu": Symbol("scaling of the energy queue", "ν"),
    "queue_exponent": Symbol("exponent of the data queue", "β"),
    "weight": Symbol("rate weight", "c"),
    "power_budget_w": Symbol("power budget", "γ"),
    "arrival_rate_mbps": Symbol("arrival rate", "λ"),
    "deadline_s": Symbol("deadline of a bit", "d_max"),
    "cycles_per_bit": Symbol("CPU cycles", "φ"),
    "energy_coefficient": Symbol("CPU energy coefficient", "κ"),
    "max_frequency_hz": Symbol("highest CPU frequency", "f_max"),
    "frequency_levels": Symbol("number of CPU frequencies"),
    "idle_power_w": Symbol("idle power"),
    "battery_j": Symbol("battery capacity", "C"),
    "harvest_w": Symbol("harvested power"),
    "server_frequency_hz": Symbol("server frequency", "F"),
    "server_cycles_per_bit": Symbol("server cycles", "φ_s"),
    "result_ratio": Symbol("result size"),
    "downlink_mbps": Symbol("downlink rate"),
    "offloading": Symbol("offloading"),
    "bandwidth_hz": Symbol("bandwidth", "W"),
    "subchannels": Symbol("number of sub-channels", "K"),
    "group_size_max": Symbol("most devices on a sub-channel", "g"),
    "overhead": Symbol("communication overhead", "v_u"),
    "max_transmit_power_w": Symbol("highest transmit power", "P_max"),
    "noise_density_dbm_per_hz": Symbol("noise density", "N0"),
    "estimate_error": Symbol("channel estimation error", "ε"),
    "outage_probability": Symbol("outage probability", "p_out"),
    "rate_adaptation": Symbol("rate adaptation"),
    "residual_sic_share": Symbol("residual SIC share", "ξ"),
    "payload_factor": Symbol("payload factor", "η"),
    "pqc_power_w": Symbol("PQC circuit power", "P_q"),
    "pqc_energy_j_per_bit": Symbol("PQC energy"),
    "pqc_overhead_bits": Symbol("PQC overhead per frame"),
    "pqc_max_rate_mbps": Symbol("PQC rate limit"),
    "suite": Symbol("PQC suite"),
    "device": Symbol("PQC device"),
    "kem": Symbol("key encapsulation"),
    "signature": Symbol("signature"),
    "aead": Symbol("encryption"),
    "framing": Symbol("framing"),
    "record_bytes": Symbol("record size"),
    "rekey_frames": Symbol("offloading frames per key exchange", "K"),
    "sign_every_frame": Symbol("signature in every frame"),
    "masking_factor": Symbol("masking factor"),
    "static_power_w": Symbol("static PQC power"),
    "distance_m": Symbol("distance", "d"),
    "antenna_gain": Symbol("antenna gain", "A_d"),
    "carrier_frequency_hz": Symbol("carrier frequency", "f_c"),
    "path_loss_exponent": Symbol("path loss exponent", "d_e"),
    "frequency_selective": Symbol("frequency-selective fading"),
    "line_of_sight_share": Symbol("line-of-sight share"),
    "doppler_hz": Symbol("Doppler frequency", "f_D"),
    "shadowing_db": Symbol("shadowing", "σ"),
    "shadowing_decorrelation_s": Symbol("shadowing decorrelation time", "τ"),
}
"""By key; every key of a scenario is here."""


def symbol_of(key: str) -> str:
    """A key's symbol, or its words where it has none."""
    return SYMBOLS[key].symbol or SYMBOLS[key].words


def axis_label(key: str) -> str:
    """A key on an axis: words, symbol and unit; a key that is not the scenario's as it is."""
    if key not in SYMBOLS:
        return key
    words = " ".join(part for part in SYMBOLS[key] if part)
    return f"{words} ({unit})" if (unit := PARAMETERS[key].unit) else words


def heading_of(key: str) -> str:
    """A key over a table's column: symbol and unit."""
    return f"{symbol_of(key)} ({unit})" if (unit := PARAMETERS[key].unit) else symbol_of(key)


def assignment(key: str, value: str) -> str:
    """A key with one of its values, as a legend and a list of settings have it: V = 20 Mbit."""
    unit = PARAMETERS[key].unit
    return f"{symbol_of(key)} = {value}{f' {unit}' if unit else ''}"


def value_text(value: Any) -> str:
    """A value in a sentence or a list, with thousands separators."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if float(value).is_integer() and 1e3 <= abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.6g}".replace("e+0", "e")
