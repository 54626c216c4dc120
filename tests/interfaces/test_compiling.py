from __future__ import annotations

import time

import numba
import pytest

from quedge.interfaces.cli import compiling
from quedge.policy.baselines import BestPair


def test_decisions_of_a_simple_policy_do_not_wait_for_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unwanted(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(compiling, "summarise", unwanted)
    compiling.compile_decisions(BestPair())


@pytest.mark.parametrize("compiled", [True, False])
def test_a_pause_is_explained_only_while_something_is_compiled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], compiled: bool
) -> None:
    monkeypatch.setattr(compiling, "_PATIENCE_S", 0.01)
    monkeypatch.setattr(compiling, "_EXPLANATION", "Compiling ...")
    with compiling.explained_pause():
        if compiled:
            numba.njit(lambda number: number + 1)(3)
        time.sleep(0.2)
    assert capsys.readouterr().err == ("Compiling ...\n" if compiled else "")
