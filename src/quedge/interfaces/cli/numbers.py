"""Numbers among the options, refused with the value and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable

import typer

_MOST_FRAMES = 10**9
_MOST_SEED = 2**63 - 1
_MOST_SEEDS = 10_000
_MOST_WORKERS = 1_000
_MOST_TRIALS = 10_000


def integer_from(lowest: int, highest: int) -> Callable[[str], int]:
    """A parser of integers in a range, which says the range where it refuses."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = lowest - 1
        if not lowest <= number <= highest:
            raise _refused(text, f"an integer from {lowest} to {highest}")
        return number

    return parse


frames_of = integer_from(1, _MOST_FRAMES)
seed_of = integer_from(0, _MOST_SEED)
seeds_of = integer_from(1, _MOST_SEEDS)
workers_of = integer_from(1, _MOST_WORKERS)
trials_of = integer_from(1, _MOST_TRIALS)


def positive_to(highest: float) -> Callable[[str], float]:
    """A parser of numbers above 0 up to a highest one, which it names where it refuses."""

    def parse(text: str) -> float:
        number = _number_of(text)
        if not 0.0 < number <= highest:
            raise _refused(text, f"a number above 0, at most {highest:g}")
        return number

    return parse


def share_of(text: str) -> float:
    """A share of the frames, from 0 to below 1."""
    share = _number_of(text)
    if not 0.0 <= share < 1.0:
        raise _refused(text, "a number, at least 0 and below 1")
    return share


def _number_of(text: str) -> float:
    """The number, or NaN, which is in no range."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _refused(text: str, allowed: str) -> typer.BadParameter:
    return typer.BadParameter(f"{str(text)[:60]!r} is not allowed; it must be {allowed}.")
