"""`device_features` as an ONNX graph: the same features, in float64 until all of them stand.

The compiled kernel walks the devices in decoding order. Here each formula is one node for all devices at once, and the
order matters only where a device is paired with the leader: the weaker of the two is decoded last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from quedge.policy.lydroo.exported.nodes import Nodes, Value
from quedge.policy.lydroo.features import ROUNDING, Inputs

_HIGHEST_LOG_GROWTH = 300.0  # as in `terms.py`
_TINY = 1e-300  # a divisor that is zero becomes this, so that x / 0 is huge for x > 0, and 0 / 0 is 0


class _Terms(NamedTuple):
    """What `Terms` says of each device, in the frame's own order."""

    rate_value: Value
    level_price: Value
    circuit: Value
    overhead: Value
    growth_limit: Value
    step_limit: Value
    stationary_level: Value


class _Alone(NamedTuple):
    """What each device does, and brings, when it alone offloads."""

    level: Value
    above: Value
    log_level: Value
    objective: Value


def feature_rows(g: Nodes, taken: Mapping[str, Value], inputs: Inputs) -> Value:
    """The features of all devices as float32, shape (features, devices).

    Args:
        g: the graph to which the nodes are added.
        taken: what the graph takes, by the names of `signature.taken`.
        inputs: which features.
    """
    gain_to_noise = taken["channel_gain"] / taken["noise_w"]
    price = taken["nu"] * taken["energy_queue"]  # b of problem (17)
    queue_mbps, price_s = taken["data_queue_mbit"] / taken["frame_s"], price / taken["frame_s"]
    rows = [g.op("Log", gain_to_noise), g.op("Log", queue_mbps + 1.0), g.op("Log", price_s + 1.0)]
    scale, offset = [1.0 / math.log(10.0), 0.5, 0.25], [-3.0, 0.0, 0.0]
    if inputs is Inputs.MODEL:
        rows += _model_rows(g, taken, gain_to_noise, queue_mbps, price)
        scale, offset = [*scale, 1.0, 1.0, 0.2, 1.0, 1.0, 1.0], [*offset, *[0.0] * 6]
    shape = g.constant("feature_shape", np.array([len(rows), -1]))
    raw = g.op("Reshape", g.op("Concat", *rows, axis=0), shape)
    scaled = raw * g.constant("feature_scale", np.array(scale)[:, np.newaxis])
    return g.op("Cast", scaled + g.constant("feature_offset", np.array(offset)[:, np.newaxis]), to=1)  # float32


def _model_rows(
    g: Nodes, taken: Mapping[str, Value], gain_to_noise: Value, queue_mbps: Value, price: Value
) -> list[Value]:
    """Features 3 to 8, each of shape (devices,)."""
    value = taken["data_queue_mbit"] + taken["v"] * taken["weight"]  # a of problem (17)
    local = _local_value(g, taken, queue_mbps, value, price)
    terms, alone = _terms(g, taken, gain_to_noise, queue_mbps, value, price)
    advantage = alone.objective - local
    largest = g.op("ReduceMax", g.op("Max", g.op("Abs", alone.objective), local), axes=[0])
    scale = g.op("Max", largest, _TINY)
    lead = g.op("ReduceMax", advantage, axes=[0])
    rounding = scale * ROUNDING
    leads = advantage >= lead - rounding
    leader = g.op("ArgMin", g.op("Where", leads, taken["channel_gain"], math.inf), axis=0)
    beside = _beside(g, terms, alone, taken["channel_gain"], advantage, local, leader)
    power_share = g.op("Min", alone.above / g.op("Max", terms.step_limit, _TINY), 1.0)
    to_lead = g.op("Where", lead > rounding, g.op("Max", advantage / lead, -1.0), -1.0)
    return [alone.objective / scale, advantage / scale, alone.log_level, power_share, to_lead, beside / scale]


def _local_value(g: Nodes, taken: Mapping[str, Value], queue_mbps: Value, value: Value, price: Value) -> Value:
    """The best objective of local computing; see `best_local_frequency`."""
    a_cycle = value / taken["cycles_per_mbit"]
    cubic = price * taken["energy_coefficient"]
    stationary = g.op("Sqrt", a_cycle / g.op("Max", cubic * 3.0, _TINY))
    fastest = g.op("Min", taken["cycles_per_mbit"] * queue_mbps, taken["max_frequency_hz"])
    frequency = g.op("Min", fastest, stationary)
    return (a_cycle - cubic * (frequency * frequency)) * frequency


def _terms(
    g: Nodes, taken: Mapping[str, Value], gain_to_noise: Value, queue_mbps: Value, value: Value, price: Value
) -> tuple[_Terms, _Alone]:
    """See `frame_terms`; whoever does not gain beside its circuit's power sends nothing."""
    mbps_a_nat = taken["uplink_mbps"] * (1.0 / math.log(2.0))
    secured_value = g.op("Relu", value - price * taken["pqc_energy_j_per_mbit"])
    rate_value = secured_value * mbps_a_nat  # eq. (31)
    level_price = price / gain_to_noise  # eq. (31)
    overhead = taken["overhead_mbps"] / mbps_a_nat
    circuit = price * taken["pqc_power_w"]
    rate = g.op("Min", queue_mbps, taken["max_secured_mbps"])
    nats = rate / mbps_a_nat + overhead * g.op("Sign", rate)
    growth_limit = g.op("Exp", g.op("Min", nats, _HIGHEST_LOG_GROWTH))  # eq. (29)
    step_limit = taken["max_transmit_power_w"] * gain_to_noise  # eq. (30)
    stationary_level = rate_value / g.op("Max", level_price, _TINY)  # eqs. (37), (40), (41)
    highest = g.op("Min", growth_limit, step_limit + 1.0)
    level = g.op("Min", highest, g.op("Max", stationary_level, 1.0))
    gained = rate_value * (g.op("Log", level) - overhead) - level_price * (level - 1.0)
    growth_limit = g.op("Where", gained > 0.0, growth_limit, 1.0)
    level = g.op("Min", level, growth_limit)
    alone = _Alone(level, level - 1.0, g.op("Log", level), g.op("Relu", gained) - circuit)
    terms = _Terms(rate_value, level_price, circuit, overhead, growth_limit, step_limit, stationary_level)
    return terms, alone


def _beside(
    g: Nodes, terms: _Terms, alone: _Alone, channel_gain: Value, advantage: Value, local: Value, leader: Value
) -> Value:
    """What each device adds beside the leader, and the leader's own advantage for the leader; see `_pair_objective`."""
    device = g.op("Reshape", g.op("NonZero", g.op("Cast", channel_gain, to=9)), g.constant("flat", np.array([-1])))
    leader_gain = g.op("Gather", channel_gain, leader, axis=0)
    tied = g.op("And", device > leader, channel_gain >= leader_gain)  # equal gains keep their order, eq. (20)
    stronger = g.op("Or", channel_gain > leader_gain, tied)
    own = g.op("Reshape", g.op("Concat", *terms, axis=0), g.constant("terms_shape", np.array([len(terms), -1])))
    leader_s = g.op("Gather", own, leader, axis=1)
    # of each pair the stronger, decoded earlier, comes second: it lifts the level that the weaker one leaves
    second = _Terms(*g.split("Split", len(terms), g.op("Where", stronger, own, leader_s), axis=0))
    before = g.op("Where", stronger, g.op("Gather", alone.level, leader, axis=0), alone.level)
    highest = g.op("Min", second.growth_limit * before, before + second.step_limit)
    after = g.op("Min", g.op("Max", second.stationary_level, before), highest)
    sent = g.op("Relu", g.op("Log", after / before) - second.overhead)
    brought = second.rate_value * sent - second.level_price * (after - before) - second.circuit
    leader_alone = g.op("Gather", alone.objective, leader, axis=0)
    rest = g.op("Where", stronger, g.op("Neg", local), advantage - leader_alone)
    beside = g.op("Where", g.op("Equal", device, leader), advantage, rest + brought)
    return g.op("Reshape", beside, g.constant("flat", np.array([-1])))
