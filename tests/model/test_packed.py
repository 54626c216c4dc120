"""A packed cell is the same cell, whichever was packed before it."""

from __future__ import annotations

import numpy as np

from quedge.model.cell import Cell, cell_of
from quedge.model.frame import Frame, PackedFrame, packed_frame, unpacked_frame
from quedge.model.kernels import Floats, kernel
from quedge.model.scenario import Scenario

ONE = cell_of(
    Scenario(
        devices=3,
        subchannels=2,
        group_size_max=1,
        residual_sic_share=0.01,
        weight=[1.0, 2.0, 3.0],
        pqc_power_w=[0.0, 0.1, 0.2],
        v=7.0,
        nu=3.0,
    )
)
OTHER = cell_of(Scenario(devices=2, max_transmit_power_w=0.05))


@kernel
def _field_by_field(packed: PackedFrame) -> tuple[Floats, Floats, Floats]:
    """The frame as a kernel sees it, each field by its name."""
    frame = unpacked_frame(*packed)
    cell = frame.cell
    seen = np.empty((16, cell.weight.size))
    seen[0], seen[1], seen[2] = cell.weight, cell.power_budget_w, cell.cycles_per_mbit
    seen[3], seen[4], seen[5] = cell.energy_coefficient, cell.max_frequency_hz, cell.uplink_mbps
    seen[6], seen[7], seen[8] = cell.max_transmit_power_w, cell.circuit_power_w, cell.circuit_energy_j_per_mbit
    seen[9], seen[10], seen[11] = cell.overhead_mbps, cell.max_secured_mbps, cell.idle_power_w
    seen[12], seen[13] = cell.frequency_step_hz, cell.server_weight
    seen[14], seen[15] = cell.interference_margin, cell.available_power_w
    state = np.empty((3, cell.weight.size))
    state[0], state[1], state[2] = frame.channel_gain, frame.data_queue_mbit, frame.energy_queue
    numbers = np.array([cell.frame_s, cell.v, cell.nu, cell.noise_w, cell.queue_exponent, 0.0, 0.0, 0.0, 0.0])
    numbers[5], numbers[6] = cell.residual_sic_share, cell.is_partial
    numbers[7], numbers[8] = cell.subchannels, cell.group_size_max
    return numbers, seen, state


def _frame(cell: Cell) -> Frame:
    state = np.random.default_rng(0).random((3, cell.devices))
    return Frame(cell, *state)


def _same(cell: Cell) -> None:
    frame = _frame(cell)
    packed = packed_frame(frame)
    assert all(given is own for given, own in zip(packed[2:], frame[1:], strict=True))
    numbers, each, seen = _field_by_field(packed)
    np.testing.assert_array_equal(seen, frame[1:])
    np.testing.assert_array_equal(numbers, cell[:9])
    np.testing.assert_array_equal(
        each,
        [
            cell.weight, cell.power_budget_w, cell.cycles_per_mbit, cell.energy_coefficient, cell.max_frequency_hz,
            cell.uplink_mbps, cell.max_transmit_power_w, cell.circuit_power_w, cell.circuit_energy_j_per_mbit,
            cell.overhead_mbps, cell.max_secured_mbps, cell.idle_power_w, cell.frequency_step_hz, cell.server_weight,
            cell.interference_margin, cell.available_power_w,
        ],
    )  # fmt: skip


def test_a_kernel_finds_every_field_in_its_place_whatever_was_packed_before() -> None:
    for cell in (ONE, OTHER, ONE, ONE.only(np.array([0, 2])), OTHER._replace(v=1.0)):
        _same(cell)


def test_the_last_cell_is_packed_once() -> None:
    assert packed_frame(_frame(ONE))[1] is packed_frame(_frame(ONE))[1]
    assert packed_frame(_frame(ONE._replace(nu=9.0)))[0][2] == 9.0
    assert packed_frame(_frame(ONE))[0][2] == 3.0
