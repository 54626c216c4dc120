"""The learning policies and their settings by name."""

from __future__ import annotations

import dataclasses
import json

import pytest

from quedge.allocation.allocator import Allocator
from quedge.allocation.greedy import NomaGreedy
from quedge.allocation.sca import NomaSca
from quedge.allocation.tdma import Tdma
from quedge.policy.learners import LEARNERS, learner_of, lydroo_of_object, settings_object, settings_of
from quedge.policy.lydroo import (
    EQUIVARIANT,
    LYDROO_PUBLIC,
    Inputs,
    Lydroo,
    MlpActor,
    NearestNeighbours,
    NoisyCopy,
    NoisyOrderPreserving,
    OrderPreserving,
    SharedActor,
)


def learner(name: str, *settings: str) -> Lydroo:
    return learner_of(name, settings_of(settings))


@pytest.mark.parametrize(
    ("name", "critic"), [("lydroo-noma", NomaGreedy()), ("lydroo-sca", NomaSca()), ("lydroo-tdma", Tdma())]
)
def test_who_asks_for_lydroo_gets_the_paper_s_agent(name: str, critic: Allocator) -> None:
    assert learner(name) == Lydroo(allocator=critic)


def test_each_learner_begins_from_its_own_settings() -> None:
    assert learner("equivariant") == EQUIVARIANT
    assert learner("lydroo-public") == LYDROO_PUBLIC
    assert set(LEARNERS) == {"equivariant", "lydroo-noma", "lydroo-sca", "lydroo-tdma", "lydroo-public", "droo"}
    changed = learner("lydroo-public", "batch=32", "allocator=greedy")
    assert changed == dataclasses.replace(LYDROO_PUBLIC, batch=32, allocator=NomaGreedy())


def test_every_setting_can_be_given() -> None:
    given = (
        "actor=shared", "quantiser=nearest-neighbours", "inputs=model", "candidates=3", "adapt_every=16", "memory=99",
        "batch=7", "update_every=4", "learning_rate=0.02", "settled_learning_rate = 1e-4", "weight_decay=1e-3",
        "keeps_moments=false",
    )  # fmt: skip
    assert learner("lydroo-noma", *given) == Lydroo(
        actor=SharedActor(), quantiser=NearestNeighbours(), inputs=Inputs.MODEL, candidates=3, adapt_every=16,
        memory=99, batch=7, update_every=4, learning_rate=0.02, settled_learning_rate=1e-4, weight_decay=1e-3,
        keeps_moments=False,
    )  # fmt: skip
    noisy = learner("equivariant", "noise=0.5", "noisy_copy=relaxed", "allocator=sca").quantiser
    assert noisy == NoisyOrderPreserving(0.5, NoisyCopy.RELAXED)
    assert learner("lydroo-noma", 'actor="mlp"', "quantiser=order-preserving").quantiser == OrderPreserving()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["batch"], "--learner batch: is not allowed; it must be name=value"),
        (["=3"], "must be name=value"),
        (["bacth=3"], "bacth: unknown setting; did you mean batch"),
        (["preset=paper"], "preset: unknown setting"),
        (["batch=3", "batch=4"], "batch: is set twice"),
        (["batch=0"], "batch: 0 is not allowed"),
        (["batch=many"], "batch: 'many' is not allowed"),
        (["batch=3 # three"], "batch: '3 # three' is not allowed"),
        (["batch=5000"], "batch: 5000 is not allowed; it must be at most the memory of 1024"),
        (["actor=3"], "actor: 3 is not allowed; it must be one of shared, mlp"),
        (["inputs=all"], "inputs: 'all' is not allowed; it must be one of gain, state, linear, model"),
        (["learning_rate=fast"], "learning_rate: 'fast' is not allowed"),
        (["allocator=best"], "allocator: 'best' is not allowed; it must be one of greedy, sca, tdma, frame-budget"),
        (["noise=-1"], "noise: -1 is not allowed; it must be positive"),
        (["noise=loud"], "noise: 'loud' is not allowed; it must be a number"),
        (["noisy_copy=x"], "noisy_copy: 'x' is not allowed; it must be one of sigmoid, relaxed, logit"),
        (["quantiser=order-preserving", "noise=2"], "noise: is not allowed; OrderPreserving has no noise"),
    ],
)
def test_a_bad_setting_is_refused_by_its_name_and_value(settings: list[str], message: str) -> None:
    with pytest.raises(ValueError, match="--learner") as refused:
        learner("lydroo-public", *settings)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("name", "setting", "message"),
    [
        ("lydroo-noma", "allocator=tdma", "allocator: 'tdma' is not allowed for lydroo-noma"),
        ("equivariant", "actor=mlp", "actor: 'mlp' is not allowed for equivariant"),
        ("droo", "allocator=greedy", "allocator: 'greedy' is not allowed for droo"),
    ],
)
def test_what_a_name_says_cannot_be_changed(name: str, setting: str, message: str) -> None:
    with pytest.raises(ValueError, match="--learner") as refused:
        learner(name, setting)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "lydroo",
    [
        *LEARNERS.values(), Lydroo(actor=SharedActor(8, 16), quantiser=NoisyOrderPreserving(noise=0.3), candidates=4),
        Lydroo(actor=MlpActor((20, 10)), quantiser=NoisyOrderPreserving(copy=NoisyCopy.LOGIT)),
        Lydroo(quantiser=OrderPreserving()),
    ],
)  # fmt: skip
def test_settings_come_back_from_plain_values(lydroo: Lydroo) -> None:
    assert lydroo_of_object(json.loads(json.dumps(settings_object(lydroo)))) == lydroo


def test_an_actor_of_one_s_own_has_no_plain_values() -> None:
    @dataclasses.dataclass(frozen=True)
    class Own(SharedActor):
        pass

    with pytest.raises(ValueError, match=r"actor: .*Own.* is not allowed; it must be one of shared, mlp"):
        settings_object(Lydroo(actor=Own()))
