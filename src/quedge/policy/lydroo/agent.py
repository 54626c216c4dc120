"""LyDROO: its settings, and the agent, which decides by an actor and a critic and learns what the critic found best."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.allocator import Allocator, allocate_best
from quedge.allocation.frame_budget import FrameBudget
from quedge.allocation.greedy import NomaGreedy
from quedge.allocation.tdma import Tdma
from quedge.errors import not_allowed, one_of
from quedge.model.frame import Decision, Frame
from quedge.policy.lydroo.features import Inputs, device_features
from quedge.policy.lydroo.network import Actor, MlpActor, SharedActor, Trainer, Weights, fresh_weights, wrong_devices
from quedge.policy.lydroo.quantiser import NoisyCopy, NoisyOrderPreserving, OrderPreserving, Quantiser
from quedge.policy.lydroo.replay import Replay


class AgentState(NamedTuple):
    """Where an agent stands between two frames.

    Attributes:
        devices: number of devices of its first frame.
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


@runtime_checkable
class Resumable(Protocol):
    """A learner whose agents' state can be kept."""

    def resume(self, state: AgentState) -> LydrooAgent:
        """An agent that goes on exactly from where another stood."""
        ...


@dataclass(frozen=True)
class Lydroo:
    """LyDROO's settings; `new_agent` gives an agent that has learned nothing yet.

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

    Example:
        >>> agent = quedge.Lydroo(candidates=2, learning_rate=0.01)
        >>> run = quedge.simulate(quedge.Scenario(devices=3), agent, frames=60, seed=1)
        >>> print(run.notes["candidates"][:3], np.isfinite(run.notes["loss"]).sum())  # K; times that it learned
        [2. 2. 2.] 2

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
            is_count = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10**6
            if not is_count and not (name == "candidates" and value is None):
                raise not_allowed(name, value, "an integer, from 1 to 1,000,000")
        for name, methods in (
            ("allocator", ("allocate",)),
            ("actor", ("shapes", "logits", "gradient")),
            ("quantiser", ("quantise",)),
        ):
            value = getattr(self, name)
            if isinstance(value, type) or not all(callable(getattr(value, method, None)) for method in methods):
                raise not_allowed(name, value, f"an object with {' and '.join(methods)}")
        if not isinstance(self.inputs, Inputs):
            raise not_allowed("inputs", self.inputs, one_of(Inputs))
        if self.batch > self.memory:
            raise not_allowed("batch", self.batch, f"at most the memory of {self.memory}")
        for name in ("learning_rate", "settled_learning_rate"):
            value = getattr(self, name)
            if not _is_number(value) or not 0.0 < value <= 1.0:
                raise not_allowed(name, value, "a number above 0 and at most 1")
        if not _is_number(self.weight_decay) or not 0.0 <= self.weight_decay <= 1.0:
            raise not_allowed("weight_decay", self.weight_decay, "a number from 0 to 1")
        if not isinstance(self.keeps_moments, bool):
            raise not_allowed("keeps_moments", self.keeps_moments, "true or false")

    @property
    def carries_partial(self) -> bool:
        """Whether its critic allocates where offloading is partial."""
        return bool(getattr(self.allocator, "carries_partial", True))

    def new_agent(self, devices: int, rng: np.random.Generator) -> LydrooAgent:
        """A fresh agent that learns as it decides; see `Learner.new_agent`."""
        weights = fresh_weights(self.actor.shapes(devices, self.inputs.features), rng)
        return LydrooAgent(self, weights, devices, self._trainer(weights))

    def resume(self, state: AgentState) -> LydrooAgent:
        """An agent that goes on, learning, exactly from where another stood; `state` is what `AgentState` says."""
        weights = {name: values.copy() for name, values in state.weights.items()}
        trainer = self._trainer(weights)
        trainer.restore(state.moments)
        return LydrooAgent(self, weights, state.devices, trainer).restored(state)

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


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class LydrooAgent:
    """A LyDROO agent; it decides frames and, if it has a trainer, learns from them.

    Each decision's notes tell `candidates`, the K that it was given, and `winner`, the place of the candidate that
    won, counted from 0; in frames in which the actor learned also `loss`, the mean cross-entropy of the batch.

    Example:
        >>> agent = quedge.Lydroo().new_agent(devices=3, rng=rng)
        >>> decision = agent.decide(frame, rng)
        >>> print(sorted(decision.notes))
        ['candidates', 'winner']
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
        self._before: tuple[NDArray[np.float32], int | None, tuple[int, ...], int] | None = None  # the last choice

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame, then learn from it; see `Policy.decide`."""
        decision = self.choose(frame, rng)
        return decision._replace(notes={**decision.notes, **self.learn(rng)})

    def choose(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; `learn` learns from it, and must be called before the next frame if at all."""
        self._before = self._features, self._candidates, tuple(self._winners), self._frames
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

    def undo_choice(self) -> None:
        """Stand where it stood before `choose`, whether that gave a decision or raised, and before `learn`.

        Whoever undoes a choice puts the random stream back.
        """
        if self._before is None:
            raise RuntimeError("there is no choice to undo")
        self._features, self._candidates, winners, self._frames = self._before
        self._winners.clear()
        self._winners.extend(winners)
        self._unlearned = self._before = None

    @property
    def note_names(self) -> tuple[str, ...]:
        """What its decisions may note, though not from the first one on."""
        return () if self._trainer is None else ("loss",)

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
        settings, self._before = self.settings, None
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

    def restored(self, state: AgentState) -> LydrooAgent:
        """This agent, standing where another of the same settings stood, but for weights and trainer."""
        self._replay.restore(state.replay)
        self._candidates = state.candidates or None
        self._winners.extend(state.winners)
        self._frames = state.frames
        return self

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


@dataclass(frozen=True, eq=False)
class TrainedLydroo:
    """What has been learned, as a policy that learns no more; each run starts from the same weights.

    Attributes:
        settings: the agent's settings.
        weights: the actor's weights.
        devices: number of devices that it was trained with.

    Example:
        >>> agent = quedge.EQUIVARIANT.new_agent(devices=3, rng=rng)
        >>> run = quedge.simulate(quedge.Scenario(devices=3), agent, frames=40)
        >>> policies = {"trained": agent.trained(), "single": quedge.BestSingle()}  # a TrainedLydroo, beside another
        >>> compared = quedge.compare(policies, quedge.Scenario(devices=3), frames=20, seeds=2)
    """

    settings: Lydroo
    weights: Weights
    devices: int

    def new_agent(self, devices: int, rng: np.random.Generator) -> LydrooAgent:
        """An agent with these weights; see `Learner.new_agent`.

        Raises:
            ValueError: the actor serves another number of devices only.
        """
        self.check_devices(devices)
        return LydrooAgent(self.settings, self.weights, self.devices)

    def resume(self, state: AgentState) -> LydrooAgent:
        """An agent that stands where another stood; see `Lydroo.resume`."""
        return LydrooAgent(self.settings, self.weights, self.devices).restored(state)

    def check_devices(self, devices: int) -> None:
        """See `Lydroo.check_devices`."""
        self.settings.check_devices(devices, self.devices)


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

Example:
    >>> agent = quedge.EQUIVARIANT.new_agent(devices=3, rng=rng)
    >>> run = quedge.simulate(quedge.Scenario(devices=3), agent, frames=40)  # it learns
    >>> larger = quedge.simulate(quedge.Scenario(devices=5), agent.trained(), frames=20)  # and serves more devices
    >>> print(larger.offload.shape)
    (20, 5)
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
"""The recipe of LyDROO's public code (github.com/revenol/LyDROO), with its time division.

Example:
    >>> print(quedge.LYDROO_PUBLIC.allocator, quedge.LYDROO_PUBLIC.update_every)
    Tdma() 20
    >>> print(quedge.LYDROO_PUBLIC.new_agent(devices=3, rng=rng).decide(frame, rng).time_share.sum() <= 1.0)
    True
"""

DROO = Lydroo(
    allocator=FrameBudget(),
    actor=MlpActor(hidden=(120, 80)),
    inputs=Inputs.GAIN,
    quantiser=OrderPreserving(),
    batch=128,
    update_every=10,
    learning_rate=1e-2,
    settled_learning_rate=1e-2,
)
"""DROO: no queue in the state, none in what is maximised, which is each frame's weighted rate.

Network, quantiser, adaptive K, memory, batch, interval and learning rate are the source's. Not the source's: gains are
on a log scale (there multiplied by a constant); NOMA in place of time division powered over the air; and what stands
for the energy that a device harvests in a frame, and has used up at its end, is its power budget in every frame
(`FrameBudget`). No device sends more than its queue holds, a limit of the cell; in the source there is always enough.

Example:
    >>> from dataclasses import replace
    >>> nearest = replace(quedge.DROO, quantiser=quedge.NearestNeighbours())  # DROO's other way to candidates
    >>> decision = nearest.new_agent(devices=3, rng=rng).decide(frame, rng)
    >>> print((decision.power_w <= frame.cell.power_budget_w + 1e-12).all())
    True

Source: DROO (Huang, Bi, Zhang, IEEE TMC 19(11), 2020) and its public code (github.com/revenol/DROO).
"""
