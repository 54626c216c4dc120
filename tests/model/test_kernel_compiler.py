"""Kernels that others take in, and that Python calls besides."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest

from quedge.model.kernels import Floats, address_of, kernel, unlocked_kernel


class Many(NamedTuple):
    unused: Floats
    also_unused: Floats
    values: Floats


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


@kernel
def long_sum(many: Many, power: float) -> float:
    """Too long to be taken in at each call, with arguments that nothing reads: the compiler passes fewer."""
    total = 0.0
    for i in range(many.values.size):
        for j in range(i):
            x = many.values[i] - many.values[j]
            if x > power:
                total += math.sin(x) ** power + math.cos(x) ** power + math.exp(-x) ** power
            elif x > 0.5 * power:
                total -= math.log1p(x) ** power + math.atan(x) ** power + math.tanh(x) ** power
            elif x > 0.1 * power:
                total += math.sinh(x) ** power + math.cosh(x) ** power + math.expm1(x) ** power
            else:
                total -= math.asinh(x) ** power + math.hypot(x, power) ** power + math.erf(x) ** power
        for j in range(i, many.values.size):
            x = many.values[j] + many.values[i]
            while x > 0.3:
                x = abs(math.log1p(x) * math.cos(x))
                total += x**power + math.atan2(x, power) ** power
            if total > 1e9:
                total = math.sqrt(total) + math.lgamma(1.0 + power)
    return total


@kernel
def called_often(many: Many) -> float:
    total = 0.0
    for k in range(4):
        total += long_sum(many, many.values[k] + 2.0) - long_sum(many, 2.0)
        total += long_sum(many, many.values[k] + 3.0) - long_sum(many, 3.0)
        total += long_sum(many, many.values[k] + 4.0) + long_sum(many, 4.0)
        total += long_sum(many, many.values[k] + 5.0) + long_sum(many, 5.0)
    return total


def test_a_kernel_that_another_one_has_taken_in_is_called_as_it_is_itself() -> None:
    values = np.linspace(0.0, 1.0, 5)
    many = Many(np.ones(1), np.ones(2), values)
    before = called_often(many)
    assert long_sum(many, 2.0) == pytest.approx(long_sum.py_func(many, 2.0), rel=1e-13)  # type: ignore[attr-defined]
    assert called_often(many) == before


def test_a_kernel_that_only_kernels_call_has_no_machine_code_on_disk(folder: Path) -> None:
    @kernel
    def inner(number: float) -> float:
        return 2.0 * number

    @kernel
    def outer(number: float) -> float:
        return inner(number) + 1.0

    assert outer(3.0) == 7.0
    assert len(list(folder.rglob("*inner*.nbc"))) == len(list(folder.rglob("*outer*.nbc"))) == 1
    assert inner(3.0) == 6.0
    assert len(list(folder.rglob("*inner*.nbc"))) == 2  # its own code, which others take in, and machine code


def test_a_user_s_own_compiled_function_may_call_a_kernel() -> None:
    @numba.njit
    def own(many: Many) -> float:
        return 1.0 + long_sum(many, 2.0)

    many = Many(np.ones(1), np.ones(2), np.linspace(0.0, 1.0, 5))
    assert own(many) == pytest.approx(1.0 + long_sum(many, 2.0), rel=1e-13)


def test_the_address_of_a_kernel_is_that_of_its_machine_code() -> None:
    @kernel
    def nothing(values: Floats) -> None:
        values[0] = 1.0

    signature = numba.types.none(numba.types.float64[::1])
    assert address_of(nothing, signature) == address_of(nothing, signature) != 0


@unlocked_kernel
def turns_until(told: Floats, turns: Floats) -> None:
    while told[0] == 0.0 and turns[0] < 1e10:
        turns[0] += 1.0


def test_other_threads_go_on_while_an_unlocked_kernel_runs() -> None:
    turns_until(np.ones(1), np.zeros(1))  # compiled
    told, turns = np.zeros(1), np.zeros(1)
    runs = threading.Thread(target=turns_until, args=(told, turns))
    runs.start()
    while turns[0] == 0.0:
        time.sleep(0.0)
    told[0] = 1.0
    runs.join()
    assert turns[0] < 1e10  # where Python waits for the kernel, it ends by itself
