"""The kept inputs of each target, and some changed at random; `python -m benchmarks.fuzz` searches for more."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
CHANGED = 400
"""Inputs of each target that are changed at random."""

every_target = pytest.mark.parametrize("name", TARGETS)


def kept(name: str) -> list[bytes]:
    """The kept inputs of a target, and those that it takes as good ones."""
    return [*(path.read_bytes() for path in sorted((CORPUS / name).iterdir())), *SEEDS[name]()]


def changed(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """An input with a few bits turned, bytes cut out, doubled or made up, or with the end of another one."""
    bytes_ = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        first, last = sorted((rng.randint(0, len(bytes_)), rng.randint(0, len(bytes_))))
        way = rng.randrange(5)
        if way == 0 and bytes_:
            bytes_[rng.randrange(len(bytes_))] ^= 1 << rng.randrange(8)
        elif way == 1:
            del bytes_[first:last]
        elif way == 2:
            bytes_[first:first] = bytes_[first:last]
        elif way == 3:
            bytes_[first:last] = rng.randbytes(rng.randrange(9))
        else:
            bytes_[first:] = other[rng.randint(0, len(other)) :]
    return bytes(bytes_[:2_000])


@every_target
def test_every_kept_input_is_taken_or_refused_as_promised(name: str) -> None:
    inputs = kept(name)
    assert len(inputs) > len(SEEDS[name]()) + 3
    for data in inputs:
        TARGETS[name](data)


@every_target
def test_inputs_that_are_changed_at_random_are_taken_or_refused_as_promised(name: str) -> None:
    rng, inputs = random.Random(2), kept(name)
    for _ in range(CHANGED):
        data = changed(rng.choice(inputs), rng.choice(inputs), rng)
        try:
            TARGETS[name](data)
        except BaseException as error:
            error.add_note(f"the input: {data!r}")
            raise


def test_every_target_has_inputs_and_nothing_else_has() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS) == set(SEEDS)
