"""`device_features` as an ONNX graph: the same features, in float64 until all of them stand.

The compiled kernel walks the devices in decoding order. Here each formula is one node for all devices at once, and the
order matters only where a device is paired with the leader: the weaker of the two is decoded last.

Where nobody gains by offloading alone but for rounding - energy is free, and CPUs empty all queues as well as the
uplink does -, the kernel's feature 7 is decided by that rounding. Here nobody leads then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from quedge.policy.lydroo.exported.nodes import Nodes, Value
from quedge.policy.lydroo.features import Inputs

_HIGHEST_LOG_GROWTH = 300.0  # as in `terms.py`
_TINY = 1e-300  # a divisor that is zero becomes this, so that x / 0 is huge for x > 0, and 0 / 0 is 0
_ROUNDING = 1e-13  # relative to its parts an advantage so small is none, and advantages so close are equal


class _Terms(NamedTuple):
    """What `Terms` holds of each device, in the frame's own order, and what it does when it alone offloads."""

    rate_value: Value
    level_price: Value
    offload_cost: Value
    overhead: Value
    growth_limit: Value
    step_limit: Value
    stationary_level: Value
    level: Value


def feature_rows(g: Nodes, taken: Mapping[str, Value], inputs: Inputs) -> Value:
    """The features of all devices as float32, shape (features, devices).

    Args:
        g: the graph to which the nodes are added.
        taken: what the graph takes, by the names of `signature.taken`.
        inputs: which features.
    """
    gain_to_noise = taken["channel_gain"] / taken["noise_w"]
    price = taken["nu"] * taken["energy_queue"]  # b of problem (17)
    rows = [g.op("Log", gain_to_noise), g.op("Log", taken["data_queue_mbit"] + 1.0), g.op("Log", price + 1.0)]
    scale, offset = [1.0 / math.log(10.0), 0.5, 0.25], [-3.0, 0.0, 0.0]
    if inputs is Inputs.MODEL:
        rows += _model_rows(g, taken, gain_to_noise, price)
        scale, offset = [*scale, 1.0, 1.0, 0.2, 1.0, 1.0, 1.0], [*offset, *[0.0] * 6]
    shape = g.constant("feature_shape", np.array([len(rows), -1]))
    raw = g.op("Reshape", g.op("Concat", *rows, axis=0), shape)
    scaled = raw * g.constant("feature_scale", np.array(scale)[:, np.newaxis])
    return g.op("Cast", scaled + g.constant("feature_offset", np.array(offset)[:, np.newaxis]), to=1)  # float32


def _model_rows(g: Nodes, taken: Mapping[str, Value], gain_to_noise: Value, price: Value) -> list[Value]:
    """Features 3 to 8, each of shape (devices,)."""
    queue_mbps = taken["data_queue_mbit"] / taken["frame_s"]
    value = taken["data_queue_mbit"] + taken["v"] * taken["weight"]  # a of problem (17)
    local = _local_value(g, taken, queue_mbps, value, price)
    terms, log_level = _terms(g, taken, gain_to_noise, queue_mbps, value, price)
    above = terms.level - 1.0
    alone = _brought(g, terms, log_level, above)
    advantage = alone - local
    magnitude = g.op("Max", g.op("Abs", alone), local)
    scale = g.op("Max", g.op("ReduceMax", magnitude, axes=[0]), _TINY)
    lead = g.op("ReduceMax", advantage, axes=[0])
    leads = advantage + magnitude * _ROUNDING >= lead
    leader = g.op("ArgMin", g.op("Where", leads, taken["channel_gain"], math.inf), axis=0)
    beside = _beside(g, terms, taken["channel_gain"], alone, advantage, local, leader)
    power_share = g.op("Min", above / g.op("Max", terms.step_limit, _TINY), 1.0)
    to_lead = g.op("Where", lead > scale * _ROUNDING, g.op("Max", advantage / lead, -1.0), -1.0)
    return [alone / scale, advantage / scale, log_level, power_share, to_lead, beside / scale]


def _local_value(g: Nodes, taken: Mapping[str, Value], queue_mbps: Value, value: Value, price: Value) -> Value:
    """The best objective of local computing; see `best_local_frequency`."""
    cycles = taken["cycles_per_mbit"]
    watts = price * taken["energy_coefficient"]
    stationary = g.op("Sqrt", value / g.op("Max", cycles * watts * 3.0, _TINY))
    frequency = g.op("Min", cycles * queue_mbps, taken["max_frequency_hz"], stationary)
    return value * frequency / cycles - watts * frequency * frequency * frequency


def _terms(
    g: Nodes, taken: Mapping[str, Value], gain_to_noise: Value, queue_mbps: Value, value: Value, price: Value
) -> tuple[_Terms, Value]:
    """See `frame_terms`; with the terms the logarithm of the level."""
    mbps_a_nat = taken["uplink_mbps"] * (1.0 / math.log(2.0))
    secured_value = g.op("Relu", value - price * taken["pqc_energy_j_per_mbit"])
    rate_value = secured_value * mbps_a_nat  # eq. (31)
    level_price = price / gain_to_noise  # eq. (31)
    overhead = taken["overhead_mbps"] / mbps_a_nat
    offload_cost = price * taken["pqc_power_w"] + rate_value * overhead
    rate = g.op("Min", queue_mbps, taken["max_secured_mbps"])
    nats = rate / mbps_a_nat + overhead * g.op("Sign", rate)
    growth_limit = g.op("Exp", g.op("Min", nats, _HIGHEST_LOG_GROWTH))  # eq. (29)
    step_limit = taken["max_transmit_power_w"] * gain_to_noise  # eq. (30)
    stationary_level = rate_value / g.op("Max", level_price, _TINY)  # eqs. (37), (40), (41)
    level = g.op("Min", growth_limit, step_limit + 1.0, g.op("Max", stationary_level, 1.0))
    log_level = g.op("Log", level)
    gained = rate_value * (log_level - overhead)
    useless = g.op("And", overhead > 0.0, level_price * (level - 1.0) >= gained)
    growth_limit = g.op("Where", useless, 1.0, growth_limit)
    level = g.op("Min", level, growth_limit)
    log_level = g.op("Where", useless, 0.0, log_level)
    terms = _Terms(
        rate_value, level_price, offload_cost, overhead, growth_limit, step_limit, stationary_level, level
    )  # fmt: skip
    return terms, log_level


def _brought(g: Nodes, terms: _Terms, growth: Value, lifted: Value) -> Value:
    """What devices add to the objective (17) by their growth of ln s, and of s; see `step_objective`."""
    worth = terms.rate_value * g.op("Max", growth, terms.overhead)
    return worth - terms.level_price * lifted - terms.offload_cost


def _beside(
    g: Nodes, terms: _Terms, channel_gain: Value, alone: Value, advantage: Value, local: Value, leader: Value
) -> Value:
    """What each device adds beside the leader, and the leader's own advantage for the leader; see `_pair_objective`."""
    device = g.op("Reshape", g.op("NonZero", g.op("Cast", channel_gain, to=9)), g.constant("flat", np.array([-1])))
    leader_gain = g.op("Gather", channel_gain, leader, axis=0)
    tied = g.op("And", device > leader, channel_gain >= leader_gain)  # equal gains keep their order, eq. (20)
    stronger = g.op("Or", channel_gain > leader_gain, tied)
    own = g.op("Reshape", g.op("Concat", *terms, axis=0), g.constant("terms_shape", np.array([len(terms), -1])))
    leader_s = g.op("Gather", own, leader, axis=1)
    # of each pair the stronger, decoded earlier, comes second: it lifts the level that the weaker one leaves
    earlier = _Terms(*g.split("Split", len(terms), g.op("Where", stronger, own, leader_s), axis=0))
    before = g.op("Where", stronger, g.op("Gather", terms.level, leader, axis=0), terms.level)
    highest = g.op("Min", earlier.growth_limit * before, before + earlier.step_limit)
    after = g.op("Min", g.op("Max", earlier.stationary_level, before), highest)
    second = _brought(g, earlier, g.op("Log", after / before), after - before)
    first = g.op("Where", stronger, g.op("Neg", local), advantage - g.op("Gather", alone, leader, axis=0))
    beside = g.op("Where", g.op("Equal", device, leader), advantage, first + second)
    return g.op("Reshape", beside, g.constant("flat", np.array([-1])))
