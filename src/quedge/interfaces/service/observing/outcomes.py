"""The outcomes of the contract by name, as labels and log lines give them."""

from __future__ import annotations

from quedge.interfaces.service import quedge_pb2 as pb

_NAMES: dict[int, str] = {number: name.lower() for name, number in pb.Outcome.items()}

REFUSALS = tuple(
    name
    for number, name in _NAMES.items()
    if number not in (pb.OUTCOME_UNSPECIFIED, pb.SERVED, pb.REPEATED)
)  # fmt: skip
"""What becomes of a report that is not served."""


def name_of(outcome: int) -> str:
    """An outcome's name in small letters; "unknown" of a number that is none."""
    return _NAMES.get(outcome, "unknown")
