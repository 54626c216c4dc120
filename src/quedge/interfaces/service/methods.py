"""The service's methods by name, for both sides; the messages are those of `quedge.proto`."""

from __future__ import annotations

from typing import Any, NamedTuple

from quedge.interfaces.service import quedge_pb2 as pb

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
DECIDE = Method("Decide", pb.FrameReport, pb.FrameAnswer, False)
STATE = Method("State", pb.StateRequest, pb.StateReply, False)
CHECKPOINT = Method("Checkpoint", pb.CheckpointRequest, pb.CheckpointReply, False)
