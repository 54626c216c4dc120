"""LyDROO's agent: it decides by an actor and a critic, and learns from what the critic found best."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.allocator import allocate_best
from quedge.model.frame import Decision, Frame
from quedge.policy.lydroo.features import device_features
from quedge.policy.lydroo.network import Trainer, Weights
from quedge.policy.lydroo.replay import Replay
from quedge.policy.policy import Learner

if TYPE_CHECKING:
    from quedge.policy.lydroo.settings import Lydroo


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

    def __init__(
        self,
        settings: Lydroo,
        weights: Weights,
        devices: int,
        trainer: Trainer | None = None,
        forward: Callable[[NDArray[np.float32]], NDArray[np.float64]] | None = None,
    ) -> None:
        """An agent with given weights; without a trainer it never changes them.

        Args:
            settings: its settings.
            weights: the actor's weights; a trainer changes them in place.
            devices: number of devices that they were made for.
            trainer: what takes the learning steps on these weights.
            forward: what makes logits of features, as `Actor.logits` does, where the actor is none of weights; such an
                agent has no trainer.
        """
        self.settings = settings
        self.devices = devices
        self.weights = weights
        self._trainer = trainer
        self._forward = self._compiled_forward if forward is None else forward
        self._features = np.empty((0, settings.inputs.features), dtype=np.float32)
        self._replay = Replay(settings.memory, settings.inputs.features)
        self._candidates: int | None = settings.candidates
        self._winners: deque[int] = deque(maxlen=settings.adapt_every)
        self._frames = 0
        self._unlearned: NDArray[np.bool_] | None = None  # the decision in the frame whose features stand there

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame, then learn from it; see `Policy.decide`."""
        decision = self.choose(frame, rng)
        return decision._replace(notes={**decision.notes, **self.learn(rng)})

    def choose(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; `learn` learns from it, and must be called before the next frame if at all."""
        self._features = device_features(frame, self.settings.inputs)
        logits = self._forward(self._features)
        count = self._count(frame.cell.devices)
        offload, place = self.settings.quantiser.quantise(logits, count, rng)
        candidate, decision = allocate_best(self.settings.allocator, frame, offload)
        winner = int(place[candidate])
        notes = {**decision.notes, "candidates": count, "winner": winner}
        self._adapt(winner)
        self._frames += 1
        self._unlearned = decision.offload
        return decision._replace(notes=notes)

    @property
    def has_to_learn(self) -> bool:
        """Whether `learn` would learn something."""
        return self._trainer is not None and self._unlearned is not None

    def learn(self, rng: np.random.Generator) -> Mapping[str, float]:
        """Learn from the frame that was decided last, if that has not been done and there is a trainer.

        Returns:
            `loss` as a note, where a step was due.
        """
        if self._trainer is None or self._unlearned is None:
            return {}
        settings = self.settings
        self._replay.add(self._features, self._unlearned)
        self._unlearned = None
        if len(self._replay) < settings.batch or self._frames % settings.update_every:
            return {}
        falling = settings.learning_rate / math.sqrt(1.0 + self._frames / 200.0)
        rate = max(falling, settings.settled_learning_rate)
        return {"loss": self._trainer.step(self._replay.sample(settings.batch, rng), rate)}

    def trained(self) -> TrainedLydroo:
        """What it has learned so far, as a policy that learns no more; for an agent that has weights."""
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

    def restore(self, state: AgentState) -> None:
        """Stand where another agent of the same settings stood, but for weights and trainer."""
        self._replay.restore(state.replay)
        self._candidates = state.candidates or None
        self._winners.extend(state.winners)
        self._frames = state.frames

    def _compiled_forward(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return self.settings.actor.logits(self.weights, features)

    def _count(self, devices: int) -> int:
        """K of this frame: at most N, as in the paper.

        One and two devices get N + 1, which is all that thresholds can give: with fewer the critic could hardly correct
        what was learned in a larger cell.
        """
        if devices <= 2:
            return devices + 1
        if self._candidates is None:
            self._candidates = devices
        return min(self._candidates, devices)

    def _adapt(self, winner: int) -> None:
        """Adapt K: one more candidate than the last Δ frames needed; `_count` keeps it within the devices."""
        self._winners.append(winner)
        if len(self._winners) == self.settings.adapt_every:
            self._candidates = max(self._winners) + 2
            self._winners.clear()


@runtime_checkable
class Resumable(Learner, Protocol):
    """A learner whose agents' standing can be kept."""

    def resume(self, state: AgentState) -> LydrooAgent:
        """An agent that goes on exactly from where another stood."""
        ...


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

    def resume(self, state: AgentState) -> LydrooAgent:
        """An agent that stands where another stood; see `Lydroo.resume`."""
        agent = LydrooAgent(self.settings, self.weights, self.devices)
        agent.restore(state)
        return agent

    def check_devices(self, devices: int) -> None:
        """Refuse a number of devices that the actor does not serve.

        Raises:
            ValueError: naming the number, and the one that it was made for.
        """
        self.settings.check_devices(devices, self.devices)
