"""Sub-channels with a certificate: groups by rules and local exchange, a bound by prices, groups by these prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from quedge.model.arrays import total_of
from quedge.model.cell import Cell
from quedge.model.frame import Frame, PackedFrame, cell_of_packed, packed_frame, unpacked_frame
from quedge.model.kernels import Bools, Floats, kernel
from quedge.policy.compiled import (
    NOTES,
    OBJECTIVE,
    UPPER_BOUND,
    Compiled,
    check_tolerance,
    fill_told,
    kernel_address,
    own_settings,
    tell,
    tell_bound,
)
from quedge.policy.exact.exact import solve_frame
from quedge.policy.lagrangian import check_rounds
from quedge.policy.subchannels.chains import Chains, frame_chains
from quedge.policy.subchannels.exchange import exchange
from quedge.policy.subchannels.groups import Groups, copy_groups, no_groups, tell_groups
from quedge.policy.subchannels.prices import Prices, lower_the_bound, no_prices
from quedge.policy.subchannels.regroup import groups_at_prices, improve
from quedge.policy.subchannels.rules import RULES, groups_by_rule

_ONE_CHAIN = 1e-3  # tolerance where there is one sub-channel without a limit, as `Exact` has it
_ROUNDING = 1e-12  # relative


@kernel
def _searched_groups(chains: Chains, subchannels: int, group_size_max: int) -> Groups:
    """The better of the groups that local exchange makes of nobody's and of the best rule's."""
    best = no_groups(chains.device.shape[1], subchannels, group_size_max)
    for rule in range(RULES):
        groups = no_groups(chains.device.shape[1], subchannels, group_size_max)
        groups_by_rule(chains, groups, rule)
        if total_of(groups.gain) > total_of(best.gain):
            copy_groups(best, groups)
    exchange(chains, best)
    groups = no_groups(chains.device.shape[1], subchannels, group_size_max)
    if exchange(chains, groups) > total_of(best.gain):
        copy_groups(best, groups)
    return best


@kernel
def solve_groups(frame: Frame, chains: Chains, tolerance: float, rounds: int) -> tuple[Groups, float, int]:
    """Groups of a frame, an upper bound on the objective (17) of all decisions, and the rounds that it took.

    Where a sixth of the rounds does not close the gap, the groups are improved, and others are made at the bound's
    prices; and once more where half of them does not.
    """
    best = _searched_groups(chains, frame.cell.subchannels, frame.cell.group_size_max)
    local = total_of(chains.local_value[0])
    prices = no_prices(chains)
    done = 0
    for share in (6, 2):
        objective = local + total_of(best.gain)
        done += lower_the_bound(chains, best, prices, objective, tolerance, (rounds + share - 1) // share - done)
        if prices.bound[0] - objective > tolerance * objective:
            _improve_at_prices(chains, best, prices)
    objective = local + total_of(best.gain)
    done += lower_the_bound(chains, best, prices, objective, tolerance, rounds - done)
    return best, prices.bound[0], done


@kernel
def _improve_at_prices(chains: Chains, best: Groups, prices: Prices) -> None:
    """Improve groups, and replace them by those made at the prices where these gain more."""
    improve(chains, best)
    groups = no_groups(best.subchannel.size, best.sizes.size, best.most[0])
    groups_at_prices(chains, groups, prices.device)
    if improve(chains, groups) > total_of(best.gain):
        copy_groups(best, groups)


@kernel
def _decide(packed: PackedFrame, own: Floats, drawn: Floats, offload: Bools, powers: Floats, told: Floats) -> None:
    frame, tolerance = unpacked_frame(*packed), own[0]
    if frame.cell.subchannels == 1 and frame.cell.group_size_max >= offload.size:
        tolerance = min(tolerance, _ONE_CHAIN)
        decided, objective, upper_bound = solve_frame(packed, tolerance)
        tell(decided, objective, offload, powers, told)
        told[NOTES] = 0.0
    else:
        chains = frame_chains(frame)
        groups, upper_bound, rounds = solve_groups(frame, chains, tolerance, int(own[1]))
        tell_groups(chains, frame, groups, True, offload, powers, told)
        told[NOTES] = rounds
    objective = told[OBJECTIVE]
    tell_bound(max(upper_bound, objective + _ROUNDING * abs(objective)), objective, tolerance, told)


@dataclass(frozen=True)
class ExactGroups(Compiled):
    """Who offloads on which sub-channel, and with which power, with a bound that no decision exceeds.

    The decision comes from local exchange that starts from nobody, from the best rule and from the bound's prices; it
    is never worse than any rule's. The bound relaxes that a device offloads on one sub-channel at most and prices
    it; a duality gap may keep it above the optimum. The status tells whether the tolerance was met. In a cell of one
    sub-channel without a limit it decides as `Exact`, to 1e-3 at least.

    Attributes:
        tolerance: relative distance between upper bound and objective at which a frame counts as solved.
        rounds: most rounds of the bound's subgradient method, from 1 to 10,000.

    Example:
        >>> cell = quedge.Scenario(devices=5, subchannels=2, group_size_max=2)
        >>> gain, queue = [2e-11, 9e-12, 4e-12, 2e-12, 1e-12], [5, 9, 7, 4, 8]
        >>> decision = quedge.decide(cell, gain, queue, [0] * 5, policy=quedge.ExactGroups())
        >>> print(decision.subchannel, f"{decision.objective:.1f} of at most {decision.upper_bound:.1f}")
        [-1  0  1 -1 -1] 721.5 of at most 721.5

    Source: problem (17) with sub-channels. The method is ours: `docs/subchannels.md`.
    """

    tolerance: float = 5e-3
    rounds: int = 100
    kernel: ClassVar = _decide
    note_names: ClassVar = ("rounds",)
    assigns_subchannels: ClassVar = True

    def __post_init__(self) -> None:
        check_tolerance(self.tolerance)
        check_rounds(self.rounds)

    def own_numbers(self, devices: int) -> Floats:
        """See `Compiled.own_numbers`."""
        return own_settings(self.tolerance, float(self.rounds))


def group_bounds(
    cell: Cell,
    channel_gain: NDArray[np.float64],
    data_queue_mbit: NDArray[np.float64],
    energy_queue: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Upper bounds on objective (17) of many frames of a cell with groups, shape (frames,), as `ExactGroups` has them.

    Channel gains (W/W) are of shape (frames, devices) or (frames, devices, sub-channels), data queues (Mbit) and
    virtual energy queues of shape (frames, devices).
    """
    numbers, each, *_ = packed_frame(Frame(cell, channel_gain[0], data_queue_mbit[0], energy_queue[0]))
    return group_bounds_in((numbers, each[np.newaxis]), (channel_gain, data_queue_mbit, energy_queue))


def group_bounds_in(cells: tuple[Floats, Floats], states: tuple[Floats, Floats, Floats]) -> NDArray[np.float64]:
    """As `group_bounds`, of frames whose cells may differ; `cells` as in `fill_told`."""
    gain, data, energy = states
    numbers, each = cells
    policy, bound = ExactGroups(), np.empty(data.shape[0])
    gain = np.ascontiguousarray(gain.reshape(bound.size, -1))
    address = kernel_address(policy)
    if address:  # of what decides: to compile the solver into another kernel takes seconds
        fill_told(address, policy.own_numbers(data.shape[1]), cells, (gain, data, energy), UPPER_BOUND, bound)
        return bound
    for t in range(bound.size):
        cell = cell_of_packed(numbers, each[min(t, len(each) - 1)])
        bound[t] = policy.decide(Frame(cell, gain[t], data[t], energy[t]), np.random.default_rng(0)).upper_bound
    return bound
