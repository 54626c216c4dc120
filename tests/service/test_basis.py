"""What may change while queues are kept."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("grpc")

from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.policy.lydroo import EQUIVARIANT, TrainedLydroo
from quedge.service.basis import Basis

BEFORE = Scenario(devices=3, power_budget_w=(0.08, 0.07, 0.06), overhead=(1.1, 1.2, 1.3))


def basis(**keys: Any) -> Basis:
    return Basis(dataclasses.replace(BEFORE, **keys), BestSingle())


@pytest.mark.parametrize(
    ("keys", "changed"),
    [
        ({}, ()),
        ({"v": 40.0}, ("v",)),
        ({"nu": 7.0, "queue_exponent": 0.5}, ("nu", "queue_exponent")),
        ({"weight": 2.0}, ("weight",)),
        ({"power_budget_w": 0.1}, ("power_budget_w",)),
        ({"arrival_rate_mbps": 9.0, "distance_m": 200.0}, ("arrival_rate_mbps", "distance_m")),
        ({"devices": 5, "power_budget_w": 0.08, "overhead": (1.1, 1.2, 1.3, 2.0, 2.0)},
         ("devices", "power_budget_w", "distance_m")),
    ],
)  # fmt: skip
def test_keys_that_may_change_are_named(keys: dict[str, Any], changed: tuple[str, ...]) -> None:
    after = basis(**keys)
    assert after.changes(basis()) == changed
    before = after.of_before(basis().determined_by)
    assert before.determined_by == basis().determined_by
    assert after.changes(before) == changed


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"bandwidth_hz": 1e6}, "bandwidth_hz: 1000000.0 is not allowed while queues are kept; it must be 2000000.0"),
        ({"frame_s": 0.5}, "frame_s: 0.5 is not allowed"),
        ({"overhead": (1.1, 1.3, 1.3)}, "overhead: "),
        ({"suite": "level3", "device": "stm32f411"}, "payload_factor: "),
        ({"devices": 2, "power_budget_w": 0.08, "overhead": 1.1},
         "devices: 2 is not allowed; it must be at least 3, the number that is served"),
        ({"devices": 4, "power_budget_w": 0.08, "overhead": (1.2, 1.2, 1.3, 1.3)}, "overhead: "),
    ],
)  # fmt: skip
def test_keys_that_may_not_are_refused_by_name(keys: dict[str, Any], complaint: str) -> None:
    after = basis(**keys)
    for refuse in (lambda: after.changes(basis()), lambda: after.of_before(basis().determined_by)):
        with pytest.raises(ValueError, match=f"^{re.escape(complaint)}"):
            refuse()


def test_the_seed_may_not_change() -> None:
    other = Basis(BEFORE, BestSingle(), seed=1)
    for refuse in (lambda: other.changes(basis()), lambda: other.of_before(basis().determined_by)):
        with pytest.raises(ValueError, match="seed: differs"):
            refuse()


def test_another_policy_is_taken_over_at_a_start_only_and_where_it_keeps_nothing() -> None:
    other, learning = Basis(BEFORE, AllLocal()), Basis(BEFORE, EQUIVARIANT)
    assert other.of_before(basis().determined_by).policy == AllLocal()
    assert not other.former(basis().determined_by).keeps_agent
    assert basis(v=1.0).former(basis().determined_by).keeps_agent
    with pytest.raises(ValueError, match="policy: differs"):
        other.changes(basis())
    with pytest.raises(ValueError, match="policy: differs"):
        learning.of_before(basis().determined_by)


@pytest.mark.parametrize("text", ["under", "{}", '{"scenario": []}', '{"scenario": {"devices": 0}}', "[1]"])
def test_what_another_version_wrote_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="another version"):
        basis().of_before(text)


def trained(seed: int) -> TrainedLydroo:
    return EQUIVARIANT.new_agent(3, np.random.default_rng(seed)).trained()


def test_a_trained_agent_may_be_replaced_and_a_learning_one_not() -> None:
    scenario = dataclasses.replace(BEFORE, v=1.0)
    assert Basis(scenario, trained(1)).changes(Basis(BEFORE, trained(0))) == ("v", "agent")
    assert Basis(BEFORE, trained(0)).changes(Basis(BEFORE, trained(0))) == ()
    assert Basis(scenario, (agent := trained(1))).of_before(Basis(BEFORE, trained(0)).determined_by).policy is agent
    with pytest.raises(ValueError, match="policy: "):
        Basis(BEFORE, EQUIVARIANT).changes(Basis(BEFORE, trained(0)))


def test_a_learning_agent_keeps_its_devices() -> None:
    wider = Basis(Scenario(devices=4), EQUIVARIANT)
    with pytest.raises(ValueError, match="devices: 4 is not allowed; it must be 3"):
        wider.changes(Basis(Scenario(devices=3), EQUIVARIANT))
    assert Basis(Scenario(devices=4), trained(0)).changes(Basis(Scenario(devices=3), trained(0)))
