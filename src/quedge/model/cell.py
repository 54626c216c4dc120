"""A scenario unpacked for kernels: the one place where units are scaled."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.model.backoff import interference_margin
from quedge.model.scenario import BINARY, PARTIAL, Scenario

SPEED_OF_LIGHT_M_PER_S = 299_792_458.0


def path_gain(scenario: Scenario, distance_m: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Mean power gain of each device's channel, A_d (c / 4π f_c d)^{d_e}.

    Args:
        scenario: gives carrier frequency in Hz, antenna gain and path loss exponent.
        distance_m: distances d (m), of any shape; by default those of the scenario.

    Returns:
        Power gains (W/W), of the shape of the distances, by default (devices,).

    Source: LyDROO's free-space path loss model; the paper, Section VI-A, says "standard path loss".
    """
    distance = scenario.per_device("distance_m") if distance_m is None else distance_m
    wavelengths = SPEED_OF_LIGHT_M_PER_S / (4.0 * math.pi * scenario.carrier_frequency_hz * distance)
    return np.asarray(scenario.antenna_gain * wavelengths**scenario.path_loss_exponent)


BITS_PER_MBIT = 1e6
WATTS_PER_MILLIWATT = 1e-3


NUMBERS = 9
"""How many of a cell's fields, the first ones, are numbers; arrays follow."""


ANY_SIZE = 100_000
"""Devices on a sub-channel where their number has no limit: as many as a cell may have."""


def refuse_partial(is_partial: bool, of: str) -> None:
    """Refuse partial offloading where something, `of`, knows binary offloading only.

    Raises:
        ValueError: naming the key, its value, what cannot carry it, and what is allowed.
    """
    if is_partial:
        raise ValueError(f"offloading: {PARTIAL!r} is not allowed for {of}; it must be {BINARY!r}")


class Cell(NamedTuple):
    """A cell as it is in a frame: floats and arrays of shape (devices,), in W, Hz, Mbit and s; never to be changed.

    All are constants of the scenario, unless it has batteries or a finite edge server: what a device may draw then
    depends on its battery, and what an offloaded Mbit is worth on the server's queue (`model/conditions.py`).

    Attributes:
        frame_s: frame length T (s).
        v: drift-plus-penalty weight V·T of a frame (Mbit), with V the scenario's.
        nu: scaling ν·√T of the energy queues, with ν the scenario's.
        noise_w: noise power N0 over a sub-channel (W); over the whole bandwidth where there is one.
        queue_exponent: exponent β of the data queue in the rate's weight, see `queue_weight`.
        residual_sic_share: share ξ of a decoded signal's power that cancellation leaves; only policies that know of it
            decide with it.
        is_partial: 1 where an offloader computes locally in the same frame, too, else 0.
        subchannels: number K of sub-channels.
        group_size_max: most devices on a sub-channel; `ANY_SIZE` where any number may be.
        weight: rate weight c.
        power_budget_w: budget γ of the mean power (W).
        cycles_per_mbit: cycles to process a Mbit.
        energy_coefficient: κ (J·s²/cycle³).
        max_frequency_hz: highest CPU frequency (Hz).
        uplink_mbps: B = η W / (v_u K), rate at one bit/s/Hz on a sub-channel (Mbit/s).
        max_transmit_power_w: highest transmit power (W).
        circuit_power_w: circuit power P_q while offloading, whatever is sent (W).
        circuit_energy_j_per_mbit: energy that is drawn beside it in proportion to the task bits sent (J/Mbit).
        overhead_mbps: rate that key exchange and framing take from an offloader's uplink (Mbit/s of task bits).
        max_secured_mbps: highest rate of task bits that the PQC module keeps up with (Mbit/s).
        idle_power_w: power that a device draws whatever it does (W).
        frequency_step_hz: the CPU frequency is a whole multiple of this (Hz); 0 where any will do.
        server_weight: what a device's queue at the edge server takes from the weight of an offloaded Mbit/s (Mbit).
        interference_margin: κ, by how much more than planned a device may be received, and disturb others; 1 where no
            outage probability is asked for.
        available_power_w: mean power that its battery can give in the frame (W); infinite without one.
    """

    frame_s: float
    v: float
    nu: float
    noise_w: float
    queue_exponent: float
    residual_sic_share: float
    is_partial: float
    subchannels: int
    group_size_max: int
    weight: NDArray[np.float64]
    power_budget_w: NDArray[np.float64]
    cycles_per_mbit: NDArray[np.float64]
    energy_coefficient: NDArray[np.float64]
    max_frequency_hz: NDArray[np.float64]
    uplink_mbps: NDArray[np.float64]
    max_transmit_power_w: NDArray[np.float64]
    circuit_power_w: NDArray[np.float64]
    circuit_energy_j_per_mbit: NDArray[np.float64]
    overhead_mbps: NDArray[np.float64]
    max_secured_mbps: NDArray[np.float64]
    idle_power_w: NDArray[np.float64]
    frequency_step_hz: NDArray[np.float64]
    server_weight: NDArray[np.float64]
    interference_margin: NDArray[np.float64]
    available_power_w: NDArray[np.float64]

    @property
    def devices(self) -> int:
        """Number of devices N."""
        return int(self.weight.size)

    def copied(self) -> Cell:
        """The same cell in arrays of its own."""
        return self._with(np.copy)

    @property
    def is_grouped(self) -> bool:
        """Whether offloaders are told apart in groups: by sub-channels, or since few may share the only one."""
        return self.subchannels > 1 or self.group_size_max < self.devices

    def only(self, devices: NDArray[np.int64]) -> Cell:
        """The same cell with only some of its devices, by their numbers."""
        if devices.size == self.devices:
            return self
        return self._with(lambda each: each[devices])

    def _with(self, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Cell:
        """The same cell with every array changed."""
        arrays = self._asdict().items()
        return self._replace(**{name: change(each) for name, each in arrays if isinstance(each, np.ndarray)})  # type: ignore[arg-type]


def check_ungrouped(cell: Cell, where: str) -> None:
    """Refuse a cell whose offloaders are told apart in groups.

    Args:
        cell: the cell.
        where: what takes all offloaders as one group, such as "in an environment".

    Raises:
        ValueError: naming the key, its value and what is allowed.
    """
    if cell.subchannels > 1:
        raise ValueError(f"subchannels: {cell.subchannels} is not allowed {where}; it must be 1")
    if cell.is_grouped:
        raise ValueError(f"group_size_max: {cell.group_size_max} is not allowed {where}; it must be left out")


def cell_of(scenario: Scenario) -> Cell:
    """Unpack a scenario for the kernels.

    Its V and ν are meant for a frame of one second. With V·T and ν·√T the data queues of a frame of another length T
    are T times and the energy queues √T times as long, objective (17) is T times as large, and the decisions are the
    same, whatever the queue's exponent; with T = 1 s nothing changes, to the bit.
    """
    each = scenario.per_device
    bandwidth_hz = scenario.bandwidth_hz / scenario.subchannels
    most = ANY_SIZE if scenario.group_size_max is None else scenario.group_size_max
    noise_density_w_per_hz = WATTS_PER_MILLIWATT * math.pow(10.0, scenario.noise_density_dbm_per_hz / 10.0)
    return Cell(
        frame_s=scenario.frame_s,
        v=scenario.v * scenario.frame_s,
        nu=scenario.nu * math.sqrt(scenario.frame_s),
        noise_w=bandwidth_hz * noise_density_w_per_hz,
        queue_exponent=scenario.queue_exponent,
        residual_sic_share=scenario.residual_sic_share,
        is_partial=float(scenario.offloading == PARTIAL),
        subchannels=scenario.subchannels,
        group_size_max=most,
        weight=each("weight"),
        power_budget_w=each("power_budget_w"),
        cycles_per_mbit=each("cycles_per_bit") * BITS_PER_MBIT,
        energy_coefficient=each("energy_coefficient"),
        max_frequency_hz=each("max_frequency_hz"),
        uplink_mbps=each("payload_factor") * bandwidth_hz / each("overhead") / BITS_PER_MBIT,
        max_transmit_power_w=each("max_transmit_power_w"),
        circuit_power_w=each("pqc_power_w"),
        circuit_energy_j_per_mbit=each("pqc_energy_j_per_bit") * BITS_PER_MBIT,
        overhead_mbps=each("payload_factor") * each("pqc_overhead_bits") / scenario.frame_s / BITS_PER_MBIT,
        max_secured_mbps=each("pqc_max_rate_mbps"),
        idle_power_w=each("idle_power_w"),
        frequency_step_hz=_frequency_step_hz(scenario),
        server_weight=np.zeros(scenario.devices),
        interference_margin=interference_margin(scenario),
        available_power_w=np.full(scenario.devices, np.inf),
    )


def _frequency_step_hz(scenario: Scenario) -> NDArray[np.float64]:
    """The step between the CPU's frequencies (Hz), shape (devices,); 0 where any will do."""
    levels = scenario.per_device("frequency_levels")
    return np.divide(scenario.per_device("max_frequency_hz"), levels, out=np.zeros(levels.size), where=levels > 0.0)
