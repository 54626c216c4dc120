"""The controller of one cell: it serves reports in order, and keeps the books."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.controller.outcome import (
    NO_REMARK,
    Answer,
    Remark,
    ServedBy,
    bound_of,
    brought_by,
    remark_on,
    remark_on_failure,
)
from quedge.controller.report import Reason, Refused, Report
from quedge.controller.state import Books
from quedge.model.cell import cell_of
from quedge.model.frame import Decision, Frame, Status
from quedge.model.limits import check_decision
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestSingle
from quedge.policy.lydroo import AgentState, LydrooAgent, Resumable
from quedge.policy.policy import Learner, Policy, agent_for, check_policy, is_learner


class Standing(NamedTuple):
    """Where a controller stands between two frames: all that its next answers depend on.

    Attributes:
        books: the cell's books.
        random_state: state of the policy's random stream, as NumPy's bit generator gives it.
        agent: where a learning agent stands; None for a policy that does not learn.
    """

    books: Books
    random_state: Mapping[str, Any]
    agent: AgentState | None


class Controller:
    """Serves one cell: a decision for each report, frame by frame.

    The same scenario, policy and seed answer the same reports alike, bit for bit. A report that is refused leaves
    everything as it was. Where the policy raises or decides what is not allowed, or the report comes late, best-single
    decides, and the answer says so.

    Args:
        scenario: the cell.
        policy: who decides; of a learner, an agent that learns as it serves.
        seed: seed of the policy's random stream.

    Raises:
        ValueError: a policy that is none, or a learner whose standing nobody could keep.
    """

    def __init__(self, scenario: Scenario, policy: Policy | Learner, seed: int = 0) -> None:
        check_policy(policy)
        if is_learner(policy) and not isinstance(policy, Resumable):
            raise ValueError(f"policy: {policy!r} is not allowed; of the learners only Lydroo's standing can be kept")
        self._settings = policy
        self._rng = np.random.default_rng(np.random.SeedSequence(seed))
        self._cell = cell_of(scenario)
        self._policy = agent_for(policy, scenario.devices, self._rng)
        self._books = Books.of(scenario.devices)
        self._remark = NO_REMARK

    @property
    def devices(self) -> int:
        """Number of the cell's devices."""
        return self._cell.devices

    @property
    def books(self) -> Books:
        """The cell's books; their arrays must not be changed."""
        return self._books

    @property
    def remark(self) -> Remark:
        """What is said of the last decision beside its answer."""
        return self._remark

    def check_turn(self, frame: int) -> None:
        """Refuse a frame that is not the next one.

        Raises:
            Refused: naming the frame that is.
        """
        due = self._books.next_frame
        if frame != due:
            reason = Reason.OLD_FRAME if frame < due else Reason.FUTURE_FRAME
            raise Refused(reason, "frame", f"{frame} is not allowed; it must be {due}, the next one")

    @property
    def has_to_learn(self) -> bool:
        """Whether `learn` has something to do."""
        return isinstance(self._policy, LydrooAgent) and self._policy.has_to_learn

    def learn(self) -> None:
        """Learn from the last frame, if the policy does; it is done before the next frame at the latest."""
        if isinstance(self._policy, LydrooAgent):
            self._policy.learn(self._rng)

    def serve(self, report: Report, decided_by: ServedBy = ServedBy.POLICY) -> Answer:
        """Decide a frame and advance the books; what is to be learned from it waits for `learn`.

        Args:
            report: what was reported, as `checked_report` gives it.
            decided_by: who is to decide: the policy, or best-single, because the report came late or because the policy
                is known to fail in this frame.

        Raises:
            Refused: it is not about the next frame.
        """
        self.check_turn(report.frame)
        self.learn()
        frame = self._books.frame(self._cell, report)
        served_by, decision, self._remark = self._decided(frame, decided_by)
        brought = brought_by(frame, decision)
        share = decision.time_share
        answer = Answer(
            report.frame, served_by, decision.status, report.devices, decision.offload, decision.transmit_power_w,
            decision.cpu_frequency_hz, decision.offload.astype(np.float64) if share is None else share,
            brought.rate_mbps, brought.power_w, brought.data_queue_mbit, brought.energy_queue, brought.objective,
            bound_of(decision), share is not None,
        )  # fmt: skip
        self._books = self._books.after(report, brought)
        return answer

    def standing(self) -> Standing:
        """Where it stands, after all that was to be learned; `stand` goes on from there."""
        self.learn()
        agent = self._policy.state() if isinstance(self._policy, LydrooAgent) else None
        return Standing(self._books, self._rng.bit_generator.state, agent)

    def stand(self, standing: Standing) -> None:
        """Stand where another controller of the same scenario, policy and seed stood.

        Raises:
            ValueError: it stood for another number of devices, or another kind of policy.
        """
        if standing.books.data_queue_mbit.size != self.devices:
            raise ValueError(
                f"devices: {standing.books.data_queue_mbit.size} is not allowed; it must be {self.devices}"
            )
        if (standing.agent is not None) != isinstance(self._settings, Resumable):
            raise ValueError("policy: is not allowed; one of the two learns and the other does not")
        self._books = standing.books
        self._rng.bit_generator.state = standing.random_state
        if standing.agent is not None and isinstance(self._settings, Resumable):
            self._policy = self._settings.resume(standing.agent)

    def _decided(self, frame: Frame, decided_by: ServedBy) -> tuple[ServedBy, Decision, Remark]:
        remark = NO_REMARK
        if decided_by is not ServedBy.LATE:
            try:
                policy = self._policy
                decide = policy.choose if isinstance(policy, LydrooAgent) else policy.decide
                decision = _own(decide(_copied(frame), self._rng))
                check_decision(frame.cell, decision)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # whatever a policy does, even a panic of compiled code
                decided_by, remark = ServedBy.POLICY_FAILED, remark_on_failure(error)
            if decided_by is ServedBy.POLICY:
                return decided_by, decision, remark_on(decision)
        return decided_by, BestSingle().decide(frame, self._rng), remark


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
    """The frame in arrays of its own: a policy cannot change the books."""
    copies: list[NDArray[np.float64]] = [values.copy() for values in frame[1:]]
    return Frame(frame.cell, *copies)
