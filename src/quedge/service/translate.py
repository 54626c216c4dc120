"""Between the messages of the contract and the controller's own records."""

from __future__ import annotations

import math

from quedge.controller.engine import Engine, Served
from quedge.controller.report import Reason, Report, ReportRejected, checked_report
from quedge.service import quedge_pb2 as pb
from quedge.service.methods import DEVICE_VALUES, SERVED_BY, STATUSES

OUTCOMES = {reason: pb.Outcome.Value(reason.name) for reason in Reason}


def report_of(message: pb.FrameReport, all_devices: int) -> Report:
    """A base station's report, checked; a ReportRejected names the field, the value and what is allowed."""
    return checked_report(
        all_devices, message.frame, message.channel_gain, message.arrived_mbit, message.data_queue_mbit, message.devices
    )


def answer_of(served: Served) -> pb.FrameAnswer:
    """The answer to a report that was served."""
    answer = served.answer
    return pb.FrameAnswer(
        frame=answer.frame,
        outcome=pb.REPEATED if served.repeated else pb.SERVED,
        served_by=SERVED_BY[answer.served_by],
        status=STATUSES[answer.status],
        devices=answer.devices.tolist(),
        offload=answer.offload.tolist(),
        time_share=answer.time_share.tolist() if answer.is_tdma else (),
        **{name: getattr(answer, name).tolist() for name in DEVICE_VALUES},
        objective=answer.objective,
        upper_bound=None if math.isnan(answer.upper_bound) else answer.upper_bound,
        next_frame=answer.frame + 1,
        incarnation=served.incarnation,
    )


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
