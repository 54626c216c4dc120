"""Numbers among the options, refused with the value and what is allowed."""

from __future__ import annotations

import typer

_MOST_FRAMES = 10**9
_MOST_SEED = 2**63 - 1
_MOST_SEEDS = 10_000
_MOST_WORKERS = 1_000
_MOST_TRIALS = 10_000


def frames_of(text: str) -> int:
    """A number of frames."""
    return _integer(text, 1, _MOST_FRAMES)


def seed_of(text: str) -> int:
    """A seed."""
    return _integer(text, 0, _MOST_SEED)


def seeds_of(text: str) -> int:
    """A number of seeds."""
    return _integer(text, 1, _MOST_SEEDS)


def workers_of(text: str) -> int:
    """A number of processes."""
    return _integer(text, 1, _MOST_WORKERS)


def trials_of(text: str) -> int:
    """A number of settings to try."""
    return _integer(text, 1, _MOST_TRIALS)


def share_of(text: str) -> float:
    """A share of the frames, from 0 to below 1."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share < 1.0:
        raise typer.BadParameter(f"{text[:60]!r} is not allowed; it must be a number, at least 0 and below 1.")
    return share


def _integer(text: str, lowest: int, highest: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = lowest - 1
    if not lowest <= number <= highest:
        raise typer.BadParameter(f"{text[:60]!r} is not allowed; it must be an integer from {lowest} to {highest}.")
    return number
