"""A frame with sub-channels as chains: each sub-channel is one of its own, with devices in the order of its gains."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quedge.model.arrays import copy_into
from quedge.model.frame import Frame
from quedge.model.kernels import Floats, Ints, inner_kernel, kernel
from quedge.model.split import no_split
from quedge.model.terms import Terms, frame_terms


class Chains(NamedTuple):
    """The `Terms` of all sub-channels, a row each; where all fade alike, one row stands for all.

    Attributes:
        device: as in `Terms`; shape (chains, devices), like all that follow.
        rate_value: as in `Terms`.
        level_price: as in `Terms`.
        offload_cost: as in `Terms`.
        overhead: as in `Terms`.
        growth_limit: as in `Terms`.
        step_limit: as in `Terms`.
        local_value: as in `Terms`.
        place: where in a chain each device of the frame stands.
        split: as in `Terms`, the same for all: offloading is binary.
    """

    device: Ints
    rate_value: Floats
    level_price: Floats
    offload_cost: Floats
    overhead: Floats
    growth_limit: Floats
    step_limit: Floats
    local_value: Floats
    place: Ints
    split: Floats


@kernel
def frame_chains(frame: Frame) -> Chains:
    """The chains of a frame, each with the bandwidth and the noise of a sub-channel."""
    n = frame.data_queue_mbit.size
    count = frame.channel_gain.size // n
    place, device = np.empty((count, n), np.int64), np.empty((count, n), np.int64)
    values = np.empty((7, count, n))
    gain = np.empty(n)
    for c in range(count):
        for i in range(n):
            gain[i] = frame.channel_gain[i * count + c]
        terms = frame_terms(frame.cell, gain, frame.data_queue_mbit, frame.energy_queue)
        copy_into(device[c], terms.device)
        copy_into(values[0, c], terms.rate_value)
        copy_into(values[1, c], terms.level_price)
        copy_into(values[2, c], terms.offload_cost)
        copy_into(values[3, c], terms.overhead)
        copy_into(values[4, c], terms.growth_limit)
        copy_into(values[5, c], terms.step_limit)
        copy_into(values[6, c], terms.local_value)
        for k in range(n):
            place[c, device[c, k]] = k
    return Chains(
        device, values[0], values[1], values[2], values[3], values[4], values[5], values[6], place, no_split()
    )


@inner_kernel
def row_of(chains: Chains, subchannel: int) -> int:
    """The row of a sub-channel."""
    return subchannel if chains.device.shape[0] > 1 else 0


@inner_kernel
def terms_of(chains: Chains, subchannel: int) -> Terms:
    """The chain of a sub-channel."""
    c = row_of(chains, subchannel)
    return Terms(
        chains.device[c], chains.rate_value[c], chains.level_price[c], chains.offload_cost[c], chains.overhead[c],
        chains.growth_limit[c], chains.step_limit[c], chains.local_value[c], chains.split,
    )  # fmt: skip
