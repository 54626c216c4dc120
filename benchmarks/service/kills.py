"""`kill -9` while frames stream, over and over: `python -m benchmarks.service.kills [--cycles 200]`.

A service in a process of its own serves a stream of frames, is killed at a random moment and started again on the same
state folder; the client goes on from where the service says that it stands. In the end every answer that came must be
that of a run in one piece, bit for bit, and the cell must stand where that run stands.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np

from benchmarks.service.processes import ServiceProcess, runner_process
from benchmarks.service.runner import fresh_controller
from benchmarks.service.worlds import BASE_STATION, drawn_reports
from quedge.controller.engine import Served
from quedge.service import methods, translate
from quedge.service import quedge_pb2 as pb

DEVICES = 10
CHECKPOINT_FRAMES = 200
LONGEST_LIFE_S = 0.6
WAITING_S = 30.0


class Killed(NamedTuple):
    """What many cycles showed.

    Attributes:
        frames: frames whose answers came.
        unheard: frames that were served as well, and whose answers a kill cut off.
        restart_s: from each start of the process to its first answer (s).
        wrong: frames whose answers are not those of a run in one piece.
    """

    frames: int
    unheard: int
    restart_s: list[float]
    wrong: list[int]


class _Client:
    """Streams reports from the frame that is due, and keeps each answer that comes."""

    def __init__(self, reports: list[pb.FrameReport]) -> None:
        self._reports = reports
        self.answers: dict[int, bytes] = {}
        self.mistakes: list[str] = []

    def stream(self, target: str, answered: threading.Event) -> None:
        """Go on until the service is gone."""
        with grpc.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            due = _state(channel).next_frame
            if self.answers and due <= max(self.answers):
                self.mistakes.append(f"frame {due} is due, and {max(self.answers)} was answered before")
            method = methods.SERVE_FRAMES
            call = channel.stream_stream(method.path, method.request.SerializeToString, method.reply.FromString)
            with contextlib.suppress(grpc.RpcError):
                # the last one once more: its answer must be what it was
                for answer in call(iter(self._reports[max(due - 1, 0) :])):
                    self._keep(answer, due)
                    answered.set()

    def _keep(self, answer: pb.FrameAnswer, due: int) -> None:
        if answer.outcome != (pb.REPEATED if answer.frame < due else pb.SERVED):
            self.mistakes.append(f"frame {answer.frame}: {answer}")
        answer.outcome = pb.SERVED
        told = answer.SerializeToString(deterministic=True)
        if self.answers.setdefault(answer.frame, told) != told:
            self.mistakes.append(f"frame {answer.frame} has two answers")


def _state(channel: grpc.Channel) -> pb.StateReply:
    method = methods.STATE
    call = channel.unary_unary(method.path, method.request.SerializeToString, method.reply.FromString)
    reply: pb.StateReply = call(pb.StateRequest(base_station=BASE_STATION), timeout=WAITING_S)
    return reply


def run(policy: str, cycles: int, seed: int = 0, longest_life_s: float = LONGEST_LIFE_S) -> Killed:
    """Kill a service so many times.

    Raises:
        AssertionError: a frame was lost, served twice or answered twice in different ways.
    """
    rng = np.random.default_rng(seed)
    reports = drawn_reports(DEVICES, round(cycles * longest_life_s * 5000), seed)
    client, restart_s = _Client(reports), []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(cycles):
            began = time.perf_counter()
            service = _started(policy, Path(folder))
            answered = threading.Event()
            streaming = threading.Thread(target=client.stream, args=(service.target, answered))
            streaming.start()
            came = answered.wait(WAITING_S)
            restart_s.append(time.perf_counter() - began)
            time.sleep(rng.uniform(0.0, longest_life_s))
            service.kill()
            streaming.join()
            assert came, "no answer came"
            assert not client.mistakes, client.mistakes[:3]
        with _started(policy, Path(folder)) as service, grpc.insecure_channel(service.target) as channel:
            state = _state(channel)
    wrong = _wrong(policy, client.answers, reports, state)
    return Killed(len(client.answers), state.next_frame - len(client.answers), restart_s, wrong)


def _started(policy: str, folder: Path) -> ServiceProcess:
    return runner_process(policy, DEVICES, folder, ["--checkpoint-frames", str(CHECKPOINT_FRAMES)])


def _wrong(policy: str, answers: dict[int, bytes], reports: list[pb.FrameReport], state: pb.StateReply) -> list[int]:
    """Frames that a run in one piece answers otherwise; it must end where the service stands."""
    uncut, wrong = fresh_controller(policy, DEVICES), []
    for frame, report in enumerate(reports[: state.next_frame]):
        answer = uncut.serve(translate.report_of(report, DEVICES))
        served = Served(answer, False, 0.0, 0.0, incarnation=state.incarnation)
        told = translate.answer_of(served).SerializeToString(deterministic=True)
        if answers.get(frame, told) != told:
            wrong.append(frame)
    assert max(answers) < state.next_frame
    assert list(state.data_queue_mbit) == uncut.queues.data_queue_mbit.tolist()
    assert list(state.energy_queue) == uncut.queues.energy_queue.tolist()
    return wrong


def main() -> int:
    """Print what each policy's cycles showed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cycles", type=int, default=200, help="of each policy")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    wrong = 0
    for policy in ("exact", "equivariant"):
        found = run(policy, given.cycles, given.seed)
        wrong += len(found.wrong)
        print(
            f"{policy}: {given.cycles} kills, {found.frames:,} answers, {found.unheard} cut off, "
            f"{len(found.wrong)} wrong; process start to first answer "
            f"{np.median(found.restart_s):.2f} s (median), {max(found.restart_s):.2f} s (max)",
            flush=True,
        )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
