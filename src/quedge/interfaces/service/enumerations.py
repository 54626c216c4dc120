"""The contract's enumerations beside the controller's own, for both sides."""

from __future__ import annotations

from quedge.controller.answer import ServedBy
from quedge.interfaces.service import quedge_pb2 as pb
from quedge.model.frame import Status

SERVED_BY = {
    ServedBy.POLICY: pb.POLICY,
    ServedBy.LATE: pb.BEST_SINGLE_LATE,
    ServedBy.POLICY_FAILED: pb.BEST_SINGLE_POLICY_FAILED,
}
STATUSES = {status: pb.DecisionStatus.Value(status.name) for status in Status}
