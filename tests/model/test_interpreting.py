"""Kernels that Python runs while there is no machine code of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
import pytest

from quedge.model import interpreting
from quedge.model.cell import cell_of
from quedge.model.frame import Frame, packed_frame
from quedge.model.interpreting import interpreted, interpreted_calls, interpreted_first
from quedge.model.kernels import Floats, address_of, inner_kernel, kernel, summing_kernel
from quedge.model.scenario import Scenario
from quedge.policy.compiled import NOTES, Compiled
from quedge.policy.registry import SCHEMES

COMPILED = {scheme.name: scheme.policy for scheme in SCHEMES if isinstance(scheme.policy, Compiled)}
FOREVER_S = 1e6


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize("devices", [1, 4, 10])
def test_python_decides_as_machine_code_does_bit_for_bit(name: str, devices: int) -> None:
    policy, rng = COMPILED[name], np.random.default_rng(devices)
    assert isinstance(policy, Compiled)
    cell, machine_code = cell_of(Scenario(devices=devices)), policy.kernel_for(devices)
    for _ in range(6):
        gain = 10.0 ** rng.uniform(-16, -4, devices)
        data = rng.choice([0.0, 1e-9, 3.0, 50.0, 1e6], devices) * rng.random(devices)
        frame = packed_frame(Frame(cell, gain, data, rng.choice([0.0, 1e-9, 5.0, 1e5], devices)))
        own, drawn = policy.own_numbers(devices), rng.random(policy.random_numbers(devices))
        decisions = []
        for decide in (machine_code, interpreted(machine_code)):
            filled = np.zeros(devices, np.bool_), np.zeros((4, devices)), np.zeros(NOTES + len(policy.note_names))
            decide(frame, own, drawn, *filled)
            decisions.append([values.tobytes() for values in filled])
        assert decisions[0] == decisions[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def kept(folder: Path) -> set[str]:
    """Names of kernels whose machine code is kept."""
    return {path.name.split(".")[1].split("-")[0] for path in folder.rglob("*.nbc")}


@inner_kernel
def doubled(number: float) -> float:
    return 2.0 * number


@summing_kernel
def summed(values: Floats) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


@kernel
def double_sum(values: Floats) -> float:
    return doubled(summed(values))


@pytest.fixture
def divide_first() -> Any:
    """A kernel that is not compiled yet; it adds 1 to the first value, too."""

    @kernel
    def divide_first(values: Floats, by: float) -> float:
        values[0] += 1.0
        return 1.0 / by

    return divide_first


def test_nothing_is_compiled_but_what_only_machine_code_knows(folder: Path) -> None:
    before = interpreted_calls()
    with interpreted_first(FOREVER_S):
        assert double_sum(np.ones(3)) == 6.0
        assert kept(folder) == {"summed"}
    assert interpreted_calls() == before + 1
    assert double_sum(np.ones(3)) == 6.0
    assert interpreted_calls() == before + 1


def test_what_python_refuses_is_compiled_with_the_arguments_as_they_were(folder: Path, divide_first: Any) -> None:
    values = np.zeros(2)
    with interpreted_first(FOREVER_S):
        assert divide_first(values, 2.0) == 0.5
        assert not kept(folder)
        assert divide_first(values, 0.0) == np.inf
        assert kept(folder)
    assert values.tolist() == [2.0, 0.0]


def test_time_that_is_spent_ends_it(folder: Path, monkeypatch: pytest.MonkeyPatch, divide_first: Any) -> None:
    clock = iter([0.0, 3.0])
    with interpreted_first(2.0):
        with monkeypatch.context() as patched:
            patched.setattr(interpreting, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
            assert divide_first(np.zeros(1), 2.0) == 0.5
        assert not kept(folder)
        assert divide_first(np.zeros(1), 2.0) == 0.5
        assert kept(folder)


def test_a_kernel_has_no_address_while_it_is_interpreted(folder: Path, divide_first: Any) -> None:
    signature = (numba.float64[::1], numba.float64)
    with interpreted_first(FOREVER_S):
        assert address_of(divide_first, signature) == 0
    assert address_of(divide_first, signature) != 0
    with interpreted_first(FOREVER_S):
        assert address_of(divide_first, signature) != 0
