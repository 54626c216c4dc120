"""What may be wrong with a base station's report, and how it must be refused for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from quedge.controller.report import Reason
from quedge.service import quedge_pb2 as pb


class Flaw(NamedTuple):
    """What is done to a report, and how it must be refused."""

    done: Callable[[pb.FrameReport], object]
    reason: Reason


def _put(field: str, value: Any) -> Callable[[pb.FrameReport], object]:
    def put(message: pb.FrameReport) -> None:
        getattr(message, field)[-1] = value

    return put


FLAWS = (
    Flaw(_put("channel_gain", float("nan")), Reason.BAD_VALUE),
    Flaw(_put("channel_gain", float("inf")), Reason.BAD_VALUE),
    Flaw(_put("channel_gain", -1e-11), Reason.BAD_VALUE),
    Flaw(_put("arrived_mbit", -1.0), Reason.BAD_VALUE),
    Flaw(_put("arrived_mbit", float("nan")), Reason.BAD_VALUE),
    Flaw(lambda message: message.channel_gain.append(1e-11), Reason.WRONG_LENGTH),
    Flaw(lambda message: message.arrived_mbit.pop(), Reason.WRONG_LENGTH),
    Flaw(lambda message: message.data_queue_mbit.extend([1.0] * 99), Reason.WRONG_LENGTH),
    Flaw(lambda message: (message.devices.clear(), message.devices.append(99)), Reason.UNKNOWN_DEVICE),
    Flaw(lambda message: (message.devices.clear(), message.devices.extend([0, 0])), Reason.REPEATED_DEVICE),
    Flaw(lambda message: setattr(message, "frame", -3), Reason.BAD_VALUE),
    Flaw(lambda message: setattr(message, "frame", message.frame + 1000), Reason.FUTURE_FRAME),
)
