"""The controller of one cell: it serves reports in order, and keeps the queues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from quedge.controller.answer import (
    NO_INFO,
    Answer,
    DecisionInfo,
    ServedBy,
    answer_of,
    bound_of,
    info_of,
    info_of_failure,
)
from quedge.controller.edge_server import EdgeServer
from quedge.controller.report import Reason, Report, ReportRejected
from quedge.controller.state import NO_SERVER, QueueState, Snapshot
from quedge.errors import not_allowed
from quedge.model.backoff import planned_gain_share
from quedge.model.cell import cell_of, check_ungrouped
from quedge.model.conditions import refuse_batteries
from quedge.model.frame import Decision, Frame, Status
from quedge.model.scenario import Scenario
from quedge.policy.auto import Auto
from quedge.policy.baselines import BestSingle
from quedge.policy.lydroo import AgentState, Resumable
from quedge.policy.policy import Learner, Policy, agent_for, check_carries, check_decision, check_policy, is_learner


@runtime_checkable
class LearningPolicy(Protocol):
    """An agent that decides first and learns when there is time, and whose state can be kept."""

    def choose(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide a frame as `Policy.decide` does, and leave the learning to `learn`."""
        ...

    def undo_choice(self) -> None:
        """Stand where it stood before the last `choose`, from which nothing has been learned yet."""
        ...

    @property
    def has_to_learn(self) -> bool:
        """Whether `learn` has something to do."""
        ...

    def learn(self, rng: np.random.Generator) -> object:
        """Learn from the frame that was decided last, once."""
        ...

    def state(self) -> AgentState:
        """Where it stands."""
        ...


class _Before(NamedTuple):
    """Where a controller stood before a frame, but for its agent, and whether the policy was asked in it."""

    queues: QueueState
    random_state: Mapping[str, Any]
    policy_was_asked: bool


class Controller:
    """Serves one cell: a decision for each report, frame by frame.

    The same scenario, policy and seed answer the same reports alike, bit for bit. A report that is refused leaves
    everything as it was. Where the policy raises or decides what is not allowed, or the report comes late, best-single
    decides, under the weights of `Auto` if that is the policy, and the answer says so.

    Args:
        scenario: the cell.
        policy: who decides; of a learner, an agent that learns as it serves.
        seed: seed of the policy's random stream.

    Raises:
        ValueError: a policy that is none, a learner whose standing nobody could keep, or a cell with sub-channels.
    """

    def __init__(self, scenario: Scenario, policy: Policy | Learner, seed: int = 0) -> None:
        check_policy(policy)
        scenario.require_one_cell("the controller")
        refuse_batteries(scenario, "the controller")
        self._cell, self._planned_share = cell_of(scenario), planned_gain_share(scenario)
        check_ungrouped(self._cell, "in the service, whose answers name no sub-channels")
        check_carries(policy, scenario)
        if is_learner(policy) and not isinstance(policy, Resumable):
            raise ValueError(f"policy: {policy!r} is not allowed; of the learners only Lydroo's standing can be kept")
        self._settings = policy
        self._rng = np.random.default_rng(np.random.SeedSequence(seed))
        self._is_cautious = bool((self._planned_share != 1.0).any())
        self._adopt(agent_for(policy, scenario.devices, self._rng))
        self._server = EdgeServer(scenario, self._cell)
        self._queues = self._with_server(QueueState.empty(scenario.devices))
        self._decision_info = NO_INFO
        self._before: _Before | None = None

    @property
    def devices(self) -> int:
        """Number of the cell's devices."""
        return self._cell.devices

    @property
    def queues(self) -> QueueState:
        """The cell's queues; their arrays must not be changed."""
        return self._queues

    @property
    def decision_info(self) -> DecisionInfo:
        """What is said of the last decision beside its answer."""
        return self._decision_info

    def check_turn(self, frame: int) -> None:
        """Refuse a frame that is not the next one; a ReportRejected names the frame that is."""
        due = self._queues.next_frame
        if frame != due:
            reason = Reason.OLD_FRAME if frame < due else Reason.FUTURE_FRAME
            raise ReportRejected.not_allowed(reason, "frame", frame, f"{due}, the next one")

    @property
    def has_to_learn(self) -> bool:
        """Whether `learn` has something to do."""
        return self._learning is not None and self._learning.has_to_learn

    def learn(self) -> None:
        """Learn from the last frame, if the policy does; it is done before the next frame at the latest."""
        self._before = None
        if self._learning is not None:
            self._learning.learn(self._rng)

    def serve(self, report: Report, decided_by: ServedBy = ServedBy.POLICY) -> Answer:
        """Decide a frame and advance the queues; what is to be learned from it waits for `learn`.

        Args:
            report: what was reported, as `checked_report` gives it.
            decided_by: who is to decide: the policy, or best-single, because the report came late or because the policy
                is known to fail in this frame.

        Raises:
            ReportRejected: it is not about the next frame.
        """
        self.check_turn(report.frame)
        self.learn()
        before = self._queues
        frame = self._server.frame(before.frame(self._cell, report), report.devices, before.server_queue_mbit)
        if self._is_cautious:
            frame = frame._replace(channel_gain=frame.channel_gain * self._planned_share[report.devices])
        self._before = _Before(before, self._rng.bit_generator.state, decided_by is not ServedBy.LATE)
        served_by, decision, self._decision_info = self._decided(frame, decided_by)
        answer = answer_of(report, frame, decision, served_by)
        waiting = self._server.after(before.server_queue_mbit, answer.devices, answer.offload, answer.rate_mbps)
        self._queues = before.after(answer)._replace(server_queue_mbit=waiting)
        return answer

    def _with_server(self, queues: QueueState) -> QueueState:
        """The queues with those at the edge server, if it is finite, or without them."""
        return queues.with_server() if self._server.is_finite else queues._replace(server_queue_mbit=NO_SERVER)

    def undo(self) -> None:
        """Stand where it stood before the last frame that was served, from which nothing has been learned yet."""
        if self._before is None:
            raise RuntimeError("there is no frame to undo")
        self._queues, self._rng.bit_generator.state, policy_was_asked = self._before
        self._before = None
        if self._learning is not None and policy_was_asked:
            self._learning.undo_choice()

    def stand_at(self, queues: QueueState) -> None:
        """Go on from other queues of the cell's devices, the policy as it stands."""
        self._queues, self._before = self._with_server(queues), None

    def snapshot(self) -> Snapshot:
        """All that its next answers depend on, after all that was to be learned; `restore` goes on from there."""
        self.learn()
        agent = None if self._learning is None else self._learning.state()
        return Snapshot(self._queues, self._rng.bit_generator.state, agent)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from where another controller of the same scenario, policy and seed stood.

        Raises:
            ValueError: it stood for another number of devices, or another kind of policy.
        """
        devices = snapshot.queues.data_queue_mbit.size
        if devices != self.devices:
            raise not_allowed("devices", devices, str(self.devices))
        if (snapshot.agent is not None) != isinstance(self._settings, Resumable):
            raise ValueError("policy: is not allowed; one of the two learns and the other does not")
        self._queues, self._before = self._with_server(snapshot.queues), None
        self._rng.bit_generator.state = snapshot.random_state
        if snapshot.agent is not None and isinstance(self._settings, Resumable):
            self._adopt(self._settings.resume(snapshot.agent))

    def _adopt(self, policy: Policy) -> None:
        """Have a policy decide from now on."""
        self._learning: LearningPolicy | None = None
        if isinstance(self._settings, Resumable) and isinstance(policy, LearningPolicy):
            self._learning = policy
        self._decide = policy.decide if self._learning is None else self._learning.choose
        self._fallback: Policy = policy.instead(BestSingle()) if isinstance(policy, Auto) else BestSingle()

    def _decided(self, frame: Frame, decided_by: ServedBy) -> tuple[ServedBy, Decision, DecisionInfo]:
        info = NO_INFO
        if decided_by is not ServedBy.LATE:
            try:
                decision = _own(self._decide(_copied(frame), self._rng))
                check_decision(frame.cell, decision)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # whatever a policy does, even a panic of compiled code
                decided_by, info = ServedBy.POLICY_FAILED, info_of_failure(error)
            if decided_by is ServedBy.POLICY:
                return decided_by, decision, info_of(decision)
        return decided_by, self._fallback.decide(frame, self._rng), info


def _own(decision: Decision) -> Decision:
    """The decision in arrays of its own: a policy cannot change what was answered. Raises where it is none."""
    share = decision.time_share
    return decision._replace(
        offload=np.array(decision.offload, dtype=np.bool_),
        transmit_power_w=np.array(decision.transmit_power_w, dtype=np.float64),
        cpu_frequency_hz=np.array(decision.cpu_frequency_hz, dtype=np.float64),
        time_share=None if share is None else np.array(share, dtype=np.float64),
        upper_bound=bound_of(decision),
        status=Status(decision.status),
    )


def _copied(frame: Frame) -> Frame:
    """The frame in arrays of its own: a policy cannot change the queues."""
    copies: list[NDArray[np.float64]] = [values.copy() for values in frame[1:]]
    return Frame(frame.cell, *copies)
