"""Between the messages of the contract and the controller's own records."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.controller.answer import Answer
from quedge.controller.engine import Engine, Served
from quedge.controller.report import Reason, Report, ReportRejected, checked_report
from quedge.service import packed_pb2 as packed
from quedge.service import quedge_pb2 as pb
from quedge.service.methods import DEVICE_VALUES, SERVED_BY, STATUSES

OUTCOMES = {reason: pb.Outcome.Value(reason.name) for reason in Reason}


def report_of(message: pb.FrameReport, all_devices: int) -> Report:
    """A base station's report, checked; a ReportRejected names the field, the value and what is allowed."""
    return checked_report(
        all_devices, message.frame, message.channel_gain, message.arrived_mbit, message.data_queue_mbit, message.devices
    )


def answer_of(served: Served) -> packed.FrameAnswer:
    """The answer to a report that was served; on the wire it is a FrameAnswer of the contract."""
    answer = served.answer
    return packed.FrameAnswer(
        outcome=pb.REPEATED if served.repeated else pb.SERVED,
        objective=answer.objective,
        upper_bound=None if math.isnan(answer.upper_bound) else answer.upper_bound,
        next_frame=answer.frame + 1,
        incarnation=served.incarnation,
        **lists_of(answer),
    )


EVERY = slice(None)
"""The places of all devices."""


def lists_of(answer: Answer, places: slice | NDArray[np.int64] = EVERY) -> dict[str, Any]:
    """What answers to base stations and gateways have in common, of the devices at some places of a frame's answer."""
    lists = {name: packed_list(getattr(answer, name)[places]) for name in ("offload", *DEVICE_VALUES)}
    if answer.is_tdma:
        lists["time_share"] = packed_list(answer.time_share[places])
    return {
        "frame": answer.frame,
        "served_by": SERVED_BY[answer.served_by],
        "status": STATUSES[answer.status],
        "devices": answer.devices[places].tolist(),
        **lists,
    }


def packed_list(values: NDArray[Any]) -> bytes:
    """Numbers or truth values as a packed list of a message."""
    return (values.byteswap() if sys.byteorder == "big" else values).tobytes()


def refusal_of(refused: ReportRejected, frame: int, engine: Engine) -> pb.FrameAnswer:
    """The answer to a report that was refused, by the engine of its cell."""
    return pb.FrameAnswer(
        frame=frame,
        outcome=OUTCOMES[refused.reason],
        field=refused.field,
        message=str(refused),
        next_frame=engine.queues.next_frame,
        incarnation=engine.incarnation,
    )
