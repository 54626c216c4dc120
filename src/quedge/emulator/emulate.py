"""The load generator: a workload, the stations that report it, and the audit of what they were answered."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.emulator.audit import Audit, Findings, Tally
from quedge.emulator.stations import BaseStation, Devices, Reporters
from quedge.emulator.uploads import Uploads
from quedge.model.cell import BITS_PER_MBIT
from quedge.model.scenario import Scenario
from quedge.pqc.uplink.algorithms import LiveSuite
from quedge.service.client.async_client import AsyncClient
from quedge.service.client.connection import BASE_STATION
from quedge.service.client.conversation import ServiceUnavailable
from quedge.service.client.messages import CellState, due_in
from quedge.simulation.world import World

_MOST_AWAY_FRAMES = 20
_FATES = 3  # number of the random stream; the world's and the policy's are 0 to 2


class Script(NamedTuple):
    """A run, all of it.

    Attributes:
        world: channel gains and arrivals.
        lost: whether a device's report of a frame is lost, shape (frames, devices).
        away: whether a device has no stream in a frame, shape (frames, devices).
    """

    world: World
    lost: NDArray[np.bool_]
    away: NDArray[np.bool_]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.lost.shape[0])


def script_of(world: World, seed: int, loss: float = 0.0, churn: float = 0.0) -> Script:
    """A run in a world.

    Args:
        world: channel gains and arrivals.
        seed: of what is lost and who leaves.
        loss: share of the reports that are lost.
        churn: share of a device's frames in which it leaves, for 1 to 20 frames.
    """
    fates = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_FATES,)))
    shape = world.channel_gain.shape
    lost = fates.random(shape) < loss
    leaves = fates.random(shape) < churn
    lasts = fates.integers(1, _MOST_AWAY_FRAMES, shape, endpoint=True)
    away = np.zeros(shape, dtype=np.bool_)
    left = np.zeros(shape[1], dtype=np.int64)  # frames until each one is back
    for t in range(shape[0]):
        left = np.where((left == 0) & leaves[t], lasts[t], left)
        away[t] = left > 0
        left = np.maximum(left - 1, 0)
    return Script(world, lost & ~away, away)


@dataclass(frozen=True)
class Stage:
    """Where and how a script is played.

    Attributes:
        target: "host:port" of the service.
        base_station: the base station's name.
        credentials: of TLS; None for plain text.
        rate_hz: frames a second.
        as_base_station: whether one stream reports for all devices, rather than each device for itself.
        live: the suite that secures what offloaders upload; None where nothing is uploaded.
        upload_share: share of the decided bits that are uploaded.
    """

    target: str
    base_station: str = BASE_STATION
    credentials: Any = None
    rate_hz: float = 200.0
    as_base_station: bool = False
    live: LiveSuite | None = None
    upload_share: float = 0.01


def emulate(
    scenario: Scenario, script: Script, stage: Stage, progress: Callable[[int], None] | None = None
) -> Findings:
    """Play a script against the service and check every answer.

    Arrivals of a frame are reported in the next one; those of a report that was lost, refused or not sent, too. A frame
    begins when its time has come and all answers of the one before are there: a service that does not keep up makes
    the rate fall rather than reports pile up. Ctrl-C, or an end of the service, ends it with what it found so far.

    Args:
        scenario: the service's own.
        script: what happens.
        stage: where and how.
        progress: called with the number of frames done.
    """
    return asyncio.run(_emulate(scenario, script, stage, progress))


async def _emulate(
    scenario: Scenario, script: Script, stage: Stage, progress: Callable[[int], None] | None
) -> Findings:
    tally, audit = Tally(scenario.devices), Audit(scenario, None)
    uploads = None if stage.live is None else Uploads(stage.live)
    interrupted, trouble = False, ""
    with contextlib.nullcontext() if uploads is None else uploads:
        try:
            async with AsyncClient(stage.target, stage.base_station, credentials=stage.credentials) as client:
                state = await client.state()
                _check_devices(state, scenario.devices)
                audit = Audit(scenario, state)
                reporters = BaseStation(client, due_in(state)) if stage.as_base_station else Devices(client)
                await _play(script, stage, scenario.frame_s, reporters, _Watchers(tally, audit, uploads, progress))
        except ServiceUnavailable as error:
            trouble = str(error)
        except asyncio.CancelledError:
            interrupted = True
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
    secured = None if uploads is None else uploads.found()
    return tally.found(audit.violations, audit.described, secured, interrupted, trouble)


@dataclass(frozen=True)
class _Watchers:
    """Who is told of a frame."""

    tally: Tally
    audit: Audit
    uploads: Uploads | None
    progress: Callable[[int], None] | None


async def _play(script: Script, stage: Stage, frame_s: float, reporters: Reporters, watchers: _Watchers) -> None:
    gains, arrivals = script.world.estimated_gain, script.world.arrival_mbit
    unreported = np.zeros(gains.shape[1])
    watchers.tally.begin()
    begun = time.perf_counter()
    for t in range(script.frames):
        early = begun + t / stage.rate_hz - time.perf_counter()
        if early > 0.0:
            await asyncio.sleep(early)
        if t > 0:
            unreported += arrivals[t - 1]
        lost, away = script.lost[t], script.away[t]
        devices = np.flatnonzero(~(lost | away))
        turn = None
        if devices.size:
            turn = await reporters.report(away, devices, gains[t, devices], unreported[devices])
            for decided in turn.decided:
                watchers.audit.check(devices, gains[t], unreported, decided)
                unreported[np.intersect1d(decided.devices, devices)] = 0.0
                if watchers.uploads is not None:
                    for place in np.flatnonzero(decided.offload).tolist():
                        bits = decided.rate_mbps[place] * frame_s * BITS_PER_MBIT * stage.upload_share
                        watchers.uploads.submit(int(decided.devices[place]), bits)
        watchers.tally.add(lost, away, turn)
        if watchers.progress is not None:
            watchers.progress(t + 1)
    await reporters.close()


def _check_devices(state: CellState | None, devices: int) -> None:
    if state is not None and state.data_queue_mbit.size != devices:
        raise ServiceUnavailable(
            f"the service has {state.data_queue_mbit.size} devices and the emulation {devices}; "
            "give both the same scenario"
        )
