"""LyDROO's settings, from which agents begin, and the settings that have a name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quedge.allocation.allocator import Allocator
from quedge.allocation.noma_greedy import NomaGreedy
from quedge.policy.lydroo.actor import Actor, MlpActor, SharedActor, Trainer, fresh_weights, wrong_devices
from quedge.policy.lydroo.agent import AgentState, LydrooAgent
from quedge.policy.lydroo.features import Inputs
from quedge.policy.lydroo.quantiser import NoisyOrderPreserving, Quantiser


@dataclass(frozen=True)
class Lydroo:
    """The learning agent's settings; `begin` gives a fresh agent.

    In each frame the actor turns the devices' features into a relaxed decision, the quantiser turns that into
    candidates, and the critic, a power allocator, finds the best of them by the model itself. The best one is carried
    out and remembered; every few frames the actor learns to give the remembered decisions.

    The defaults are the settings that measured best; `PAPER` has the paper's.

    Attributes:
        allocator: the critic.
        actor: the network's shape.
        inputs: what the actor sees of each device.
        quantiser: how candidates are made.
        candidates: K, number of candidates of the first frames; the number of devices where None, and at most.
        adapt_every: Δ, frames after which K adapts: one more than the K that the last Δ frames needed.
        memory: number of frames remembered.
        batch: number of remembered frames that the actor learns from at once, at most `memory`; it learns nothing
            before it remembers as many.
        update_every: δ_T, frames from one such step to the next.
        learning_rate: Adam's step size in the beginning.
        settled_learning_rate: its step size in the long run; it falls as 1 / sqrt(1 + frames / 200) from the one to the
            other.

    Source: Sections IV-B, VI-A; LyDROO (Bi, Huang, Wang, Zhang, IEEE TWC 20(11), 2021) where the paper is silent.
    """

    allocator: Allocator = NomaGreedy()
    actor: Actor = SharedActor()
    inputs: Inputs = Inputs.MODEL
    quantiser: Quantiser = NoisyOrderPreserving()
    candidates: int | None = None
    adapt_every: int = 32
    memory: int = 1024
    batch: int = 32
    update_every: int = 8
    learning_rate: float = 2e-2
    settled_learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        for name in ("adapt_every", "memory", "batch", "update_every", "candidates"):
            value = getattr(self, name)
            if name == "candidates" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10**6:
                raise ValueError(f"{name}: {value!r} is not allowed; it must be an integer, from 1 to 1,000,000")
        for name, methods in (
            ("allocator", ("allocate",)),
            ("actor", ("shapes", "logits", "gradient")),
            ("quantiser", ("quantise",)),
        ):
            value = getattr(self, name)
            if isinstance(value, type) or not all(callable(getattr(value, method, None)) for method in methods):
                raise ValueError(f"{name}: {value!r} is not allowed; it must be an object with {' and '.join(methods)}")
        if not isinstance(self.inputs, Inputs):
            raise ValueError(f"inputs: {self.inputs!r} is not allowed; it must be one of {', '.join(Inputs)}")
        if self.batch > self.memory:
            raise ValueError(f"batch: {self.batch!r} is not allowed; it must be at most the memory of {self.memory}")
        for name in ("learning_rate", "settled_learning_rate"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value <= 1.0:
                raise ValueError(f"{name}: {value!r} is not allowed; it must be a number above 0 and at most 1")

    def begin(self, devices: int, rng: np.random.Generator) -> LydrooAgent:
        """A fresh agent that learns as it decides; see `Learner.begin`."""
        weights = fresh_weights(self.actor.shapes(devices, self.inputs.features), rng)
        return LydrooAgent(self, weights, devices, Trainer(self.actor, weights))

    def resume(self, state: AgentState) -> LydrooAgent:
        """An agent that goes on, learning, exactly from where another stood; `state` is what `AgentState` says."""
        weights = {name: values.copy() for name, values in state.weights.items()}
        trainer = Trainer(self.actor, weights)
        trainer.restore(state.moments)
        agent = LydrooAgent(self, weights, state.devices, trainer)
        agent.restore(state)
        return agent

    def check_devices(self, devices: int, made_for: int) -> None:
        """Refuse a number of devices that an actor which was made for another number does not serve.

        Raises:
            ValueError: naming both numbers.
        """
        features = self.inputs.features
        if self.actor.shapes(devices, features) != self.actor.shapes(made_for, features):
            raise wrong_devices(devices, made_for)


MLP = Lydroo(actor=MlpActor(), update_every=2, learning_rate=5e-3)
"""The paper's network with all features, trained as it measured best."""

PAPER = Lydroo(actor=MlpActor(), inputs=Inputs.STATE, update_every=20, learning_rate=3e-3, settled_learning_rate=3e-3)
"""The paper's settings: its network on the state alone, memory 1,024, batch 32.

Its Table I has two values of 20 whose symbols are lost: we read one as V and the other as the update interval. It gives
no learning rate and no scaling of the inputs; we take the rate that measured best, on a log scale. (LyDROO's own, 0.01
on linear inputs, stalls.)
"""
