from __future__ import annotations

import pytest

from quedge.interfaces.cli import compiling
from quedge.policy.baselines import BestPair


def test_decisions_of_a_simple_policy_do_not_wait_for_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unwanted(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(compiling, "summarise", unwanted)
    compiling.compile_decisions(BestPair())
