"""An observer is told of every frame, and no answer of a base station waits for it."""

from __future__ import annotations

import asyncio
from contextlib import closing

from quedge.controller.controller import Controller
from quedge.controller.engine import Pace
from quedge.policy.exact import Exact
from quedge.service import quedge_pb2 as pb
from quedge.service.cells import CellRegistry
from quedge.service.servicer import Servicer
from tests.service.service_under_test import SCENARIO
from tests.service.wire import PlainText, Remembering, frame_report

FRAMES = 20  # the first is decided in the engine's thread, quick ones in the event loop


def test_a_frame_is_told_of_right_after_its_answer() -> None:
    watching = Remembering()
    cells = CellRegistry(lambda: Controller(SCENARIO, Exact()), None, Pace(late_s=60.0))

    async def ask() -> None:
        servicer = Servicer(cells, "exact", 0.02, watching)
        for frame in range(FRAMES):
            answer = await servicer.decide(frame_report(frame), PlainText())
            assert answer.outcome == pb.SERVED
            assert len(watching.frames) == frame
            await asyncio.sleep(0)
            assert len(watching.frames) == frame + 1

    with closing(cells):
        asyncio.run(ask())
    assert watching.frames == [("roof", frame) for frame in range(FRAMES)]
