"""LyDROO's settings by name."""

from __future__ import annotations

import dataclasses
import json

import pytest

from quedge.allocation.tdma import Tdma
from quedge.interfaces.lydroo_settings import lydroo_of, lydroo_of_object, settings_object
from quedge.policy.lydroo import (
    MLP,
    PAPER,
    Inputs,
    Lydroo,
    MlpActor,
    NearestNeighbours,
    NoisyOrderPreserving,
    OrderPreserving,
    SharedActor,
)


def test_without_settings_it_is_the_default() -> None:
    assert lydroo_of(()) == Lydroo()


def test_presets_are_known_by_name_and_changed_by_what_else_is_given() -> None:
    assert lydroo_of(["preset=paper"]) == PAPER
    assert lydroo_of(["preset=mlp"]) == MLP
    assert lydroo_of(["batch=64", "preset=paper"]) == dataclasses.replace(PAPER, batch=64)


def test_every_setting_can_be_given() -> None:
    given = [
        "actor=mlp", "quantiser=nearest-neighbours", "inputs=state", "candidates=3", "adapt_every=16", "memory=99",
        "batch=7", "update_every=4", "learning_rate=0.02", "settled_learning_rate = 1e-4",
    ]  # fmt: skip
    assert lydroo_of(given) == Lydroo(
        actor=MlpActor(), quantiser=NearestNeighbours(), inputs=Inputs.STATE, candidates=3, adapt_every=16, memory=99,
        batch=7, update_every=4, learning_rate=0.02, settled_learning_rate=1e-4,
    )  # fmt: skip
    assert lydroo_of(['actor="shared"', "quantiser=order-preserving"]) == Lydroo(
        actor=SharedActor(), quantiser=OrderPreserving()
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["batch"], "--lydroo batch: is not allowed; it must be name=value"),
        (["=3"], "must be name=value"),
        (["bacth=3"], "bacth: unknown setting; did you mean batch"),
        (["allocator=tdma"], "allocator: unknown setting"),
        (["batch=3", "batch=4"], "batch: is set twice"),
        (["batch=0"], "batch: 0 is not allowed"),
        (["batch=many"], "batch: 'many' is not allowed"),
        (["batch=3 # three"], "batch: '3 # three' is not allowed"),
        (["batch=5000"], "batch: 5000 is not allowed; it must be at most the memory of 1024"),
        (["preset=best"], "preset: 'best' is not allowed; it must be one of default, mlp, paper"),
        (["actor=3"], "actor: 3 is not allowed; it must be one of shared, mlp"),
        (["inputs=all"], "inputs: 'all' is not allowed; it must be one of state, model"),
        (["learning_rate=fast"], "learning_rate: 'fast' is not allowed"),
    ],
)
def test_a_bad_setting_is_refused_by_its_name_and_value(settings: list[str], message: str) -> None:
    with pytest.raises(ValueError, match="--lydroo") as refused:
        lydroo_of(settings)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "lydroo",
    [
        Lydroo(), MLP, PAPER, Lydroo(actor=SharedActor(8, 16), quantiser=NoisyOrderPreserving(noise=0.3), candidates=4),
        Lydroo(actor=MlpActor((20, 10)), quantiser=OrderPreserving()),
    ],
)  # fmt: skip
def test_settings_come_back_from_plain_values(lydroo: Lydroo) -> None:
    assert lydroo_of_object(json.loads(json.dumps(settings_object(lydroo)))) == lydroo


def test_the_critic_is_not_among_the_plain_values() -> None:
    assert settings_object(Lydroo(allocator=Tdma())) == settings_object(Lydroo())


def test_an_actor_of_one_s_own_has_no_plain_values() -> None:
    @dataclasses.dataclass(frozen=True)
    class Own(SharedActor):
        pass

    with pytest.raises(ValueError, match=r"actor: .*Own.* is not allowed; it must be one of shared, mlp"):
        settings_object(Lydroo(actor=Own()))
