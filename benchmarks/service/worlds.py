"""Reports as a base station of the paper's cell would send them."""

from __future__ import annotations

from quedge import Scenario
from quedge.service import quedge_pb2 as pb
from quedge.simulation.world import draw_world

BASE_STATION = "north"


def drawn_reports(devices: int, frames: int, seed: int) -> list[pb.FrameReport]:
    """The reports of a run's frames; what arrives in a frame is reported with the next."""
    world = draw_world(Scenario(devices=devices), frames, seed)
    return [
        pb.FrameReport(
            base_station=BASE_STATION,
            frame=t,
            channel_gain=world.channel_gain[t].tolist(),
            arrived_mbit=world.arrival_mbit[t - 1].tolist() if t else [0.0] * devices,
        )
        for t in range(frames)
    ]
