"""A service killed while frames stream; `python -m benchmarks.service.kills` does it hundreds of times."""

from __future__ import annotations

import pytest

from benchmarks.service.kills import run


@pytest.mark.parametrize(("policy", "cycles"), [("exact", 8), ("equivariant", 4)])
def test_a_killed_service_goes_on_as_if_it_had_never_been_killed(policy: str, cycles: int) -> None:
    found = run(policy, cycles, seed=3, longest_life_s=0.4)
    assert found.frames > 5 * cycles
    assert found.wrong == []
