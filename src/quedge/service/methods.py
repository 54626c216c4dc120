"""The service's methods and the contract's enumerations, for both sides."""

from __future__ import annotations

from typing import Any, NamedTuple

from quedge.controller.answer import ServedBy
from quedge.model.frame import Status
from quedge.service import quedge_pb2 as pb

SERVICE = "quedge.v1.Controller"


class Method(NamedTuple):
    """A method of the service.

    Attributes:
        name: its name.
        request: message type of a request.
        reply: message type of a reply.
        streams: whether both sides send streams.
    """

    name: str
    request: Any
    reply: Any
    streams: bool

    @property
    def path(self) -> str:
        """Its name in full."""
        return f"/{SERVICE}/{self.name}"


SERVE_FRAMES = Method("ServeFrames", pb.FrameReport, pb.FrameAnswer, True)
SERVE_DEVICE = Method("ServeDevice", pb.DeviceReport, pb.DeviceAnswer, True)
SERVE_GATEWAY = Method("ServeGateway", pb.GatewayReport, pb.GatewayAnswer, True)
DECIDE = Method("Decide", pb.FrameReport, pb.FrameAnswer, False)
STATE = Method("State", pb.StateRequest, pb.StateReply, False)
CHECKPOINT = Method("Checkpoint", pb.CheckpointRequest, pb.CheckpointReply, False)
FOLLOW = Method("Follow", pb.FollowRequest, pb.FollowRecord, True)


_LEAST_BYTES, _DEVICE_BYTES, _MOST_BYTES = 1 << 16, 80, 4 << 20


def max_report_bytes(devices: int) -> int:
    """Largest request of a cell of so many devices, or of twice as many, since some may be added while it is served.

    A device's values take 31 bytes at most in a report; one of as many devices as a scenario may have takes 2.7 MB.
    """
    return min(max(_LEAST_BYTES, _DEVICE_BYTES * devices), _MOST_BYTES)


MAX_ANSWER_BYTES = 8 << 20
"""Largest answer; that of as many devices as a scenario may have takes 6 MB, and clients of other makers take 4 MiB
unless they are told."""

DEVICE_VALUES = (
    "transmit_power_w", "cpu_frequency_hz", "rate_mbps", "power_w", "data_queue_mbit", "energy_queue",
)  # fmt: skip
"""What is answered of each device in numbers, by the name that it has in messages and records alike."""

SERVED_BY = {
    ServedBy.POLICY: pb.POLICY,
    ServedBy.LATE: pb.BEST_SINGLE_LATE,
    ServedBy.POLICY_FAILED: pb.BEST_SINGLE_POLICY_FAILED,
}
STATUSES = {status: pb.DecisionStatus.Value(status.name) for status in Status}
