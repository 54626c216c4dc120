"""LyDROO: the agent that decides by an actor and a critic, and learns from what the critic found best."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.allocator import Allocator, allocate_best
from quedge.allocation.noma_greedy import NomaGreedy
from quedge.model.extras import MissingExtraError
from quedge.model.frame import Decision, Frame
from quedge.policy.lydroo.actor import Actor, MlpActor, SharedActor, Weights, fresh_weights, wrong_devices
from quedge.policy.lydroo.features import Inputs, device_features
from quedge.policy.lydroo.quantiser import NoisyOrderPreserving, Quantiser
from quedge.policy.lydroo.replay import Replay

if TYPE_CHECKING:
    from quedge.policy.lydroo.network import Trainer


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
        batch: number of remembered frames that the actor learns from at once.
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
        for name in ("learning_rate", "settled_learning_rate"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value <= 1.0:
                raise ValueError(f"{name}: {value!r} is not allowed; it must be a number above 0 and at most 1")

    def begin(self, devices: int, rng: np.random.Generator) -> LydrooAgent:
        """A fresh agent that learns as it decides; see `Learner.begin`.

        Raises:
            MissingExtraError: PyTorch is not installed.
        """
        weights = fresh_weights(self.actor.shapes(devices, self.inputs.features), rng)
        return LydrooAgent(self, weights, devices, _trainer(self.actor, weights))

    def resume(self, state: AgentState) -> LydrooAgent:
        """An agent that goes on, learning, exactly from where another stood; `state` is what `AgentState` says.

        Raises:
            MissingExtraError: PyTorch is not installed.
        """
        weights = {name: values.copy() for name, values in state.weights.items()}
        trainer = _trainer(self.actor, weights)
        trainer.restore(state.moments)
        agent = LydrooAgent(self, weights, state.devices, trainer)
        agent._go_on(state)
        return agent


MLP = Lydroo(actor=MlpActor(), update_every=2, learning_rate=5e-3)
"""The paper's network with all features, trained as it measured best."""

PAPER = Lydroo(actor=MlpActor(), inputs=Inputs.STATE, update_every=20, learning_rate=3e-3, settled_learning_rate=3e-3)
"""The paper's settings: its network on the state alone, memory 1,024, batch 32.

Its Table I has two values of 20 whose symbols are lost: we read one as V and the other as the update interval. It gives
no learning rate and no scaling of the inputs; we take the rate that measured best, on a log scale. (LyDROO's own, 0.01
on linear inputs, stalls.)
"""


@dataclass(frozen=True, eq=False)
class TrainedLydroo:
    """What has been learned, as a policy that learns no more; each run begins from the same weights.

    Attributes:
        settings: the agent's settings.
        weights: the actor's weights.
        devices: number of devices that it was trained with.
    """

    settings: Lydroo
    weights: Weights
    devices: int

    def begin(self, devices: int, rng: np.random.Generator) -> LydrooAgent:
        """An agent with these weights; see `Learner.begin`.

        Raises:
            ValueError: the actor serves another number of devices only.
        """
        self.check_devices(devices)
        return LydrooAgent(self.settings, self.weights, self.devices)

    def check_devices(self, devices: int) -> None:
        """Refuse a number of devices that the actor does not serve.

        Raises:
            ValueError: naming the number, and the one that it was made for.
        """
        features = self.settings.inputs.features
        if self.settings.actor.shapes(devices, features) != self.settings.actor.shapes(self.devices, features):
            raise wrong_devices(devices, self.devices)


class AgentState(NamedTuple):
    """Where an agent stands between two frames.

    Attributes:
        devices: number of devices that it was begun with.
        weights: the actor's weights.
        moments: Adam's memory.
        replay: the remembered frames.
        candidates: K.
        winners: places of the candidates that won since K last adapted.
        frames: number of frames decided.
    """

    devices: int
    weights: dict[str, NDArray[np.float32]]
    moments: dict[str, NDArray[np.float32]]
    replay: dict[str, NDArray[Any]]
    candidates: int
    winners: list[int]
    frames: int


class LydrooAgent:
    """A LyDROO agent; it decides frames and, if it has a trainer, learns from them.

    Each decision's notes tell `candidates`, the K that it was given, and `winner`, the place of the candidate that
    won, counted from 0; in frames in which the actor learned also `loss`, the mean cross-entropy of the batch.
    """

    def __init__(self, settings: Lydroo, weights: Weights, devices: int, trainer: Trainer | None = None) -> None:
        """An agent with given weights; without a trainer it never changes them.

        Args:
            settings: its settings.
            weights: the actor's weights; a trainer changes them in place.
            devices: number of devices that they were made for.
            trainer: what takes the learning steps on these weights.
        """
        self.settings = settings
        self.devices = devices
        self.weights = weights
        self._trainer = trainer
        self._replay = Replay(settings.memory, settings.inputs.features)
        self._candidates: int | None = settings.candidates
        self._winners: deque[int] = deque(maxlen=settings.adapt_every)
        self._frames = 0

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame, then learn from it; see `Policy.decide`."""
        features = device_features(*frame)[:, : self.settings.inputs.features]
        logits = self.settings.actor.logits(self.weights, np.ascontiguousarray(features))
        count = self._count(frame.cell.devices)
        offload, place = self.settings.quantiser.quantise(logits, count, rng)
        candidate, decision = allocate_best(self.settings.allocator, frame, offload)
        winner = int(place[candidate])
        notes = {**decision.notes, "candidates": count, "winner": winner}
        self._adapt(winner)
        self._frames += 1
        if self._trainer is not None:
            notes |= self._learn(self._trainer, features, decision.offload, rng)
        return decision._replace(notes=notes)

    def trained(self) -> TrainedLydroo:
        """What it has learned so far, as a policy that learns no more."""
        weights = {name: values.copy() for name, values in self.weights.items()}
        return TrainedLydroo(self.settings, weights, self.devices)

    def state(self) -> AgentState:
        """Where it stands; `Lydroo.resume` goes on from there."""
        return AgentState(
            devices=self.devices,
            weights={name: values.copy() for name, values in self.weights.items()},
            moments={} if self._trainer is None else self._trainer.moments(),
            replay=self._replay.state(),
            candidates=self._candidates or 0,
            winners=list(self._winners),
            frames=self._frames,
        )

    def _go_on(self, state: AgentState) -> None:
        self._replay.restore(state.replay)
        self._candidates = state.candidates or None
        self._winners.extend(state.winners)
        self._frames = state.frames

    def _count(self, devices: int) -> int:
        """K of this frame."""
        if self._candidates is None:
            self._candidates = devices
        return min(self._candidates, devices)

    def _adapt(self, winner: int) -> None:
        """Adapt K: one more candidate than the last Δ frames needed; `_count` keeps it within the devices."""
        self._winners.append(winner)
        if len(self._winners) == self.settings.adapt_every:
            self._candidates = max(self._winners) + 2
            self._winners.clear()

    def _learn(
        self, trainer: Trainer, features: NDArray[np.float32], offload: NDArray[np.bool_], rng: np.random.Generator
    ) -> Mapping[str, float]:
        """Remember the frame and, when it is time, take a step; the loss, if any."""
        settings = self.settings
        self._replay.add(features, offload)
        if len(self._replay) < min(settings.batch, settings.memory) or self._frames % settings.update_every:
            return {}
        falling = settings.learning_rate / math.sqrt(1.0 + self._frames / 200.0)
        return {
            "loss": trainer.step(self._replay.sample(settings.batch, rng), max(falling, settings.settled_learning_rate))
        }


def _trainer(actor: Actor, weights: Weights) -> Trainer:
    try:
        from quedge.policy.lydroo.network import Trainer
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError("LyDROO", "PyTorch", "learn") from None
    return Trainer(actor, weights)
