"""What a process is told in its environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quedge.service.processes.order import VARIABLE, Order, taken_order


def test_a_process_takes_what_it_was_told_once() -> None:
    line, lock = os.pipe()
    try:
        order = Order(1, line, lock, 50051, Path("sockets"), again=False)
        environment = order.environment()
        assert taken_order(environment) == order
        assert taken_order(environment) is None
    finally:
        os.close(line)
        os.close(lock)


@pytest.mark.parametrize("told", ["", "words", "1", "[]", "{}", '[0, "a", "b", 1, "c", false]', "[0, -1, -1, 1, 2, 3]"])
def test_what_nobody_has_told_it_is_refused_by_name(told: str) -> None:
    with pytest.raises(ValueError, match=rf"{VARIABLE}: .* is not allowed; it must be left unset"):
        taken_order({VARIABLE: told})
