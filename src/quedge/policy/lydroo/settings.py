"""LyDROO's settings, from which agents begin, and the settings that have a name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quedge.allocation.allocator import Allocator
from quedge.allocation.greedy import NomaGreedy
from quedge.allocation.tdma import Tdma
from quedge.policy.lydroo.agent import AgentState, LydrooAgent
from quedge.policy.lydroo.features import Inputs
from quedge.policy.lydroo.network import Actor, MlpActor, SharedActor, Trainer, Weights, fresh_weights, wrong_devices
from quedge.policy.lydroo.quantiser import NoisyCopy, NoisyOrderPreserving, Quantiser


@dataclass(frozen=True)
class Lydroo:
    """LyDROO's settings; `begin` gives a fresh agent.

    In each frame the actor turns the devices' features into a relaxed decision, the quantiser turns that into
    candidates, and the critic, a power allocator, finds the best of them by the model itself. The best one is carried
    out and remembered; every few frames the actor learns to give the remembered decisions.

    The defaults are the paper's agent; it leaves learning rate and scaling of the inputs open, and we take the rate
    that measured best on a log scale. `LYDROO_PUBLIC` has the settings of LyDROO's public code, `EQUIVARIANT` those of
    quedge's own agent.

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
        weight_decay: weight of half the weights' sum of squares in the loss.
        keeps_moments: whether Adam keeps its moments from step to step; LyDROO's public code builds it anew each time.

    Source: Sections IV-B, VI-A, Table I; LyDROO (Bi, Huang, Wang, Zhang, IEEE TWC 20(11), 2021) where the paper is
    silent.
    """

    allocator: Allocator = NomaGreedy()
    actor: Actor = MlpActor()
    inputs: Inputs = Inputs.STATE
    quantiser: Quantiser = NoisyOrderPreserving()
    candidates: int | None = None
    adapt_every: int = 32
    memory: int = 1024
    batch: int = 32
    update_every: int = 20
    learning_rate: float = 3e-3
    settled_learning_rate: float = 3e-3
    weight_decay: float = 0.0
    keeps_moments: bool = True

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
        decay = self.weight_decay
        if isinstance(decay, bool) or not isinstance(decay, (int, float)) or not 0.0 <= decay <= 1.0:
            raise ValueError(f"weight_decay: {decay!r} is not allowed; it must be a number from 0 to 1")
        if not isinstance(self.keeps_moments, bool):
            raise ValueError(f"keeps_moments: {self.keeps_moments!r} is not allowed; it must be true or false")

    def begin(self, devices: int, rng: np.random.Generator) -> LydrooAgent:
        """A fresh agent that learns as it decides; see `Learner.begin`."""
        weights = fresh_weights(self.actor.shapes(devices, self.inputs.features), rng)
        return LydrooAgent(self, weights, devices, self._trainer(weights))

    def resume(self, state: AgentState) -> LydrooAgent:
        """An agent that goes on, learning, exactly from where another stood; `state` is what `AgentState` says."""
        weights = {name: values.copy() for name, values in state.weights.items()}
        trainer = self._trainer(weights)
        trainer.restore(state.moments)
        agent = LydrooAgent(self, weights, state.devices, trainer)
        agent.restore(state)
        return agent

    def _trainer(self, weights: Weights) -> Trainer:
        return Trainer(self.actor, weights, self.weight_decay, self.keeps_moments)

    def check_devices(self, devices: int, made_for: int) -> None:
        """Refuse a number of devices that an actor which was made for another number does not serve.

        Raises:
            ValueError: naming both numbers.
        """
        features = self.inputs.features
        if self.actor.shapes(devices, features) != self.actor.shapes(made_for, features):
            raise wrong_devices(devices, made_for)


EQUIVARIANT = Lydroo(
    actor=SharedActor(),
    inputs=Inputs.MODEL,
    quantiser=NoisyOrderPreserving(copy=NoisyCopy.LOGIT),
    update_every=8,
    learning_rate=2e-2,
    settled_learning_rate=1e-3,
)
"""quedge's own agent: a permutation-equivariant network, the same for every device, on features of the model.

It serves any number of devices; its settings are those that measured best (docs/lydroo.md). Its features tell the
decision well enough that it needs no exploration once it is sure, so its noise is on the logits.
"""

LYDROO_PUBLIC = Lydroo(
    allocator=Tdma(),
    inputs=Inputs.LINEAR,
    batch=128,
    learning_rate=1e-2,
    settled_learning_rate=1e-2,
    weight_decay=1e-4,
    keeps_moments=False,
)
"""The recipe of LyDROO's public code (github.com/revenol/LyDROO), with its time division."""
