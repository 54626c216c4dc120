"""Base stations: each numbers its frames, and asks again until a frame is acknowledged."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any, NamedTuple

import numpy as np

from benchmarks.service.chaos.arena import DEVICES, PAUSE_S, Arena, Truthfulness
from benchmarks.service.chaos.child import UnplannedError
from benchmarks.service.chaos.replay import Replay
from quedge import Client
from quedge.controller.answer import Answer, ServedBy
from quedge.controller.engine import Served
from quedge.controller.report import checked_report
from quedge.service import quedge_pb2 as pb
from quedge.service import translate
from quedge.service.client.client import Decided, ReportRefused
from quedge.service.client.messages import decided_of

PASSING = ("OVERLOADED", "NAME_TAKEN")
"""Refusals that pass by themselves."""


class Asked(NamedTuple):
    """A report as it is given to a client."""

    frame: int
    channel_gain: list[float]
    arrived_mbit: list[float]
    data_queue_mbit: list[float] | None
    devices: list[int]


class BaseStation(threading.Thread):
    """Reports frame after frame until the arena is over, and compares each answer with that of a run in one piece.

    Args:
        arena: where.
        name: its name.
        number: of its random stream.
        streams: whether it reports over a stream, or each frame by itself.
        pace_s: mean time between two frames.
    """

    def __init__(self, arena: Arena, name: str, number: int, streams: bool, pace_s: float) -> None:
        super().__init__(name=name, daemon=True)
        self._arena, self._streams, self._pace_s = arena, streams, pace_s
        self._rng = np.random.default_rng([arena.seed, number])
        self._truthful = Truthfulness(arena, name)
        self._begin_anew()

    def run(self) -> None:
        """See the class."""
        self._arena.report_until_over(self.name, self._report_over_one_connection)

    def _report_over_one_connection(self) -> None:
        with self._arena.client(self.name) as client:
            self._stand(client)
            if self._streams:
                with client.stream() as stream:
                    self._report_to(stream)
            else:
                self._report_to(client)

    def check_stands(self) -> None:
        """After all: the service stands where the run in one piece stands."""
        with self._arena.client(self.name) as client:
            state = client.state()
        assert state is not None
        expected = self._replay.widened()
        self._arena.check(state.next_frame == expected.next_frame, f"{self.name}: stands at frame {state.next_frame}")
        for name in ("data_queue_mbit", "energy_queue"):
            here, there = getattr(state, name), getattr(expected, name)
            self._arena.check(np.array_equal(here, there), f"{self.name}: {name} is {here}, not {there}")

    def _begin_anew(self) -> None:
        self._replay = Replay(self._arena.scenarios, self._arena.policy)
        self.acknowledged, self._incarnation = 0, ""
        self._pending: Asked | None = None  # asked at least once, not acknowledged
        self._last: tuple[Asked, Decided] | None = None

    def _stand(self, client: Client) -> None:
        """Know which frame is due: the one after the last acknowledged, or one more where an answer was not heard."""
        state = client.state()
        incarnation = "" if state is None else state.incarnation
        if self._incarnation and incarnation != self._incarnation:
            told = f"{self.name}: its state is another one: {incarnation!r}, not {self._incarnation!r}"
            self._arena.check(self.name in self._arena.may_be_fresh, told)
            self._arena.may_be_fresh.discard(self.name)
            self._arena.count("states begun anew, and told so")
            self._begin_anew()
        due = 0 if state is None else state.next_frame
        allowed = (self.acknowledged, self.acknowledged + (self._pending is not None))
        told = f"{self.name}: frame {due} is due, but {self.acknowledged} are acknowledged"
        self._arena.check(due in allowed, told)

    def _report_to(self, client: Any) -> None:
        while not self._arena.over.is_set():
            if self._pending is None:
                self._pending = self._drawn()
            moment = self._arena.moment()
            try:
                decided = client.decide(*self._pending)
            except ReportRefused as refused:
                self._refused(refused, moment)
                continue
            self._truthful.served()
            self._keep(self._pending, decided)
            self._ask_for_trouble(client)
            time.sleep(self._rng.exponential(self._pace_s))

    def _drawn(self) -> Asked:
        count = DEVICES if self._rng.random() < 0.7 else int(self._rng.integers(1, DEVICES + 1))
        devices = sorted(self._rng.permutation(DEVICES)[:count].tolist())
        gain = (10.0 ** self._rng.uniform(-13, -8, count)).tolist()
        arrived = self._rng.exponential(6.0, count).tolist()
        measured = self._rng.exponential(20.0, count).tolist() if self._rng.random() < 0.1 else None
        return Asked(self.acknowledged, gain, arrived, measured, devices)

    def _refused(self, refused: ReportRefused, moment: int) -> None:
        self._arena.count(f"refused: {refused.outcome}")
        if refused.outcome == "NOT_DURABLE":
            self._truthful.refused(moment)
        elif refused.outcome not in PASSING:
            raise UnplannedError(f"a good report was refused: {refused.outcome}: {refused}")
        time.sleep(PAUSE_S)

    def _keep(self, asked: Asked, decided: Decided) -> None:
        """A frame is acknowledged."""
        self._incarnation = self._incarnation or decided.incarnation
        if decided.incarnation != self._incarnation:
            raise UnplannedError(f"an answer of the state {decided.incarnation}, not {self._incarnation}")
        report = checked_report(
            self._replay.devices, asked.frame, asked.channel_gain, asked.arrived_mbit, asked.data_queue_mbit or (),
            asked.devices,
        )  # fmt: skip
        late = decided.served_by is ServedBy.LATE
        served = self._replay.serve(
            report, ServedBy.LATE if late else ServedBy.POLICY, lambda answer: same(_decided(answer, decided), decided)
        )
        if served is None:
            raise UnplannedError(f"frame {asked.frame} is answered otherwise than in one piece: {asked}: {decided}")
        self.acknowledged, self._pending, self._last = self.acknowledged + 1, None, (asked, decided)
        self._arena.count("frames of base stations")
        self._arena.count("frames acknowledged by a repeated answer", int(decided.repeated))
        self._arena.count("frames decided late, by best-single", int(late))

    def _ask_for_trouble(self, client: Any) -> None:
        """Now and then: the last report again, an old one, one from the future, or one that is wrong."""
        assert self._last is not None
        asked, known = self._last
        chance, moment = self._rng.random(), self._arena.moment()
        try:
            if chance < 0.03:
                again = client.decide(*asked)
                if not again.repeated or not same(dataclasses.replace(again, repeated=known.repeated), known):
                    raise UnplannedError(f"frame {asked.frame} is answered in two ways: {known}, {again}")
                self._arena.count("answers asked for again")
            elif chance < 0.06:
                wrong = (
                    asked._replace(frame=asked.frame + 9), asked._replace(channel_gain=[-1.0] * len(asked.devices)),
                    asked._replace(channel_gain=[*asked.channel_gain[:-1], asked.channel_gain[-1] / 2]),
                )[int(self._rng.integers(3))]  # fmt: skip
                told = client.decide(*wrong)
                raise UnplannedError(f"a wrong report was served: {wrong}: {told}")
        except ReportRefused as refused:
            self._arena.count(f"refused: {refused.outcome}")
            if refused.outcome == "NOT_DURABLE":
                self._truthful.refused(moment)
            elif refused.outcome not in (*PASSING, "FUTURE_FRAME", "BAD_VALUE", "OLD_FRAME"):
                raise


def _decided(answer: Answer, like: Decided) -> Decided:
    """An answer as a client tells it."""
    served = Served(answer, like.repeated, 0.0, 0.0, incarnation=like.incarnation)
    return decided_of(pb.FrameAnswer.FromString(translate.answer_of(served).SerializeToString()), "")


def same(one: Any, other: Any) -> bool:
    """Whether all of two answers is the same, bit for bit."""
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one)
    )
