"""How the controller refuses a report: a reason, the field, and what is allowed; nothing changes."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a report was refused."""

    BAD_VALUE = "bad_value"
    """A value is no number, or lies outside what is allowed."""
    WRONG_LENGTH = "wrong_length"
    """A list does not have one value for each of the report's devices."""
    NO_DEVICES = "no_devices"
    """The report is about no device."""
    UNKNOWN_DEVICE = "unknown_device"
    """A device's number is not one of the scenario's."""
    REPEATED_DEVICE = "repeated_device"
    """A device stands in the report twice."""
    OLD_FRAME = "old_frame"
    """The frame has been served, or passed over, before."""
    FUTURE_FRAME = "future_frame"
    """A frame before it has not been served."""
    NOT_DURABLE = "not_durable"
    """The frame's record could not be written; the controller stands where it stood before it."""
    FAILED = "failed"
    """A mistake of the controller's own."""
    OVERLOADED = "overloaded"
    """Too many reports wait already."""


class Refused(Exception):  # noqa: N818  (the protocol's own word: a report is served or refused)
    """A report that was not served; the controller's state is as it was.

    Attributes:
        reason: why.
        field: the report's field that is to blame.
    """

    def __init__(self, reason: Reason, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.reason = reason
        self.field = field
