"""What is said of a decision beside its answer: for those who watch, neither kept nor told to the base station."""

from __future__ import annotations

from numbers import Real
from typing import NamedTuple

from quedge.model.frame import Decision

MOST_CHARACTERS = 200


class Remark(NamedTuple):
    """What is said of a decision.

    Attributes:
        candidates: K, the number of candidates that the policy tried; None where it tells none.
        failure: why the policy's decision was not taken: what it raised, or what it decided that is not allowed; empty
            where it was.
    """

    candidates: float | None = None
    failure: str = ""


NO_REMARK = Remark()


def remark_on(decision: Decision) -> Remark:
    """What a policy tells of its decision in the notes, however it fills them."""
    try:
        told = decision.notes.get("candidates")
        return Remark(candidates=float(told)) if isinstance(told, Real) else NO_REMARK
    except Exception:  # notes are an extra: no decision fails for them
        return NO_REMARK


def remark_on_failure(error: BaseException) -> Remark:
    """Why a policy failed: kind and message of what it raised, on one line, cut after 200 characters."""
    try:
        message = str(error)
    except Exception:
        message = ""
    told = f"{type(error).__name__}: {message}" if message else type(error).__name__
    shown = "".join(character if character.isprintable() else " " for character in told[:MOST_CHARACTERS])
    return Remark(failure=shown)
