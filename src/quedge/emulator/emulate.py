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
from quedge.emulator.stations import BaseStation, Devices, Gateways, Reporters, Reports
from quedge.emulator.uploads import Uploads
from quedge.model.cell import BITS_PER_MBIT
from quedge.model.scenario import Scenario
from quedge.pqc.uplink.algorithms import LiveSuite
from quedge.service.client.async_client import AsyncClient
from quedge.service.client.connection import BASE_STATION
from quedge.service.client.conversation import ServiceUnavailable
from quedge.service.client.messages import CellState, next_frame_of
from quedge.simulation.world import World

_MAX_AWAY_FRAMES = 20
_LOSS_STREAM = 3  # number of the random stream; the world's and the policy's are 0 to 2


class Workload(NamedTuple):
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


def workload_of(world: World, seed: int, loss: float = 0.0, churn: float = 0.0) -> Workload:
    """A run in a world: so large a share of reports is lost, and devices leave for 1 to 20 frames, as the seed says."""
    if world.leaves is not None:
        raise ValueError("absent: drop is not allowed here; the service keeps the queues of devices that are away")
    loss_rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_LOSS_STREAM,)))
    shape = world.channel_gain.shape
    lost = loss_rng.random(shape) < loss
    leaves = loss_rng.random(shape) < churn
    lasts = loss_rng.integers(1, _MAX_AWAY_FRAMES, shape, endpoint=True)
    away = np.zeros(shape, dtype=np.bool_)
    left = np.zeros(shape[1], dtype=np.int64)  # frames until each one is back
    for t in range(shape[0]):
        left = np.where((left == 0) & leaves[t], lasts[t], left)
        away[t] = left > 0
        left = np.maximum(left - 1, 0)
    return Workload(world, lost & ~away, away)


@dataclass(frozen=True)
class Target:
    """Where and how a script is played.

    Attributes:
        address: "host:port" of the service.
        base_station: the base station's name.
        credentials: of TLS; None for plain text.
        rate_hz: frames a second.
        as_base_station: whether one stream reports for all devices, rather than each device for itself.
        gateways: number of gateways that report for groups of devices instead; 0 for none.
        patience_s: how long an answer is waited for (s); longer than the service waits for devices that report late.
        live: the suite that secures what offloaders upload; None where nothing is uploaded.
        upload_share: share of the decided bits that are uploaded.
    """

    address: str
    base_station: str = BASE_STATION
    credentials: Any = None
    rate_hz: float = 200.0
    as_base_station: bool = False
    gateways: int = 0
    patience_s: float = 60.0
    live: LiveSuite | None = None
    upload_share: float = 0.01


def emulate(
    scenario: Scenario, workload: Workload, target: Target, progress: Callable[[int], None] | None = None
) -> Findings:
    """Play a script against the service and check every answer.

    Arrivals of a frame are reported in the next one; those of a report that was lost, refused or not sent, too. A frame
    begins when its time has come and all answers of the one before are there: a service that does not keep up makes
    the rate fall rather than reports pile up. Ctrl-C, or an end of the service, ends it with what it found so far.

    Args:
        scenario: the service's own.
        workload: what happens.
        target: which service, and how.
        progress: called with the number of frames done.
    """
    return asyncio.run(_emulate(scenario, workload, target, progress))


async def _emulate(
    scenario: Scenario, workload: Workload, target: Target, progress: Callable[[int], None] | None
) -> Findings:
    tally, audit = Tally(scenario.devices), Audit(scenario, None)
    uploads = None if target.live is None else Uploads(target.live)
    interrupted, trouble = False, ""
    with contextlib.nullcontext() if uploads is None else uploads:
        try:
            async with AsyncClient(
                target.address, target.base_station, credentials=target.credentials, timeout_s=target.patience_s
            ) as client:
                state = await client.state()
                _check_devices(state, scenario.devices)
                audit = Audit(scenario, state)
                reporters = _reporters(target, client, scenario.devices, next_frame_of(state))
                await _play(workload, target, scenario.frame_s, reporters, _Recorders(tally, audit, uploads, progress))
        except ServiceUnavailable as error:
            trouble = str(error)
        except asyncio.CancelledError:
            interrupted = True
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
    secured = None if uploads is None else uploads.found()
    return tally.found(audit.violations, audit.described, secured, interrupted, trouble)


def _reporters(target: Target, client: AsyncClient, devices: int, next_frame: int) -> Reporters:
    if target.gateways:
        return Gateways(client, target.gateways, devices)
    return BaseStation(client, next_frame) if target.as_base_station else Devices(client)


@dataclass(frozen=True)
class _Recorders:
    """Who is told of a frame."""

    tally: Tally
    audit: Audit
    uploads: Uploads | None
    progress: Callable[[int], None] | None


async def _play(
    workload: Workload, target: Target, frame_s: float, reporters: Reporters, recorders: _Recorders
) -> None:
    gains, arrivals = workload.world.estimated_gain, workload.world.arrival_mbit
    unreported = np.zeros(gains.shape[1])
    recorders.tally.begin()
    begun = time.perf_counter()
    for t in range(workload.frames):
        early = begun + t / target.rate_hz - time.perf_counter()
        if early > 0.0:
            await asyncio.sleep(early)
        if t > 0:
            unreported += arrivals[t - 1]
        lost, away = workload.lost[t], workload.away[t]
        devices = np.flatnonzero(~(lost | away))
        result = None
        if devices.size:
            reports = Reports(devices, gains[t], unreported)
            result = await reporters.report(away, reports)
            for decided in result.decided:
                recorders.audit.check(reports, decided)
                unreported[np.intersect1d(decided.devices, devices)] = 0.0
                if recorders.uploads is not None:
                    for place in np.flatnonzero(decided.offload).tolist():
                        bits = decided.rate_mbps[place] * frame_s * BITS_PER_MBIT * target.upload_share
                        recorders.uploads.submit(int(decided.devices[place]), bits)
        recorders.tally.add(lost, away, result)
        if recorders.progress is not None:
            recorders.progress(t + 1)
    await reporters.close()


def _check_devices(state: CellState | None, devices: int) -> None:
    if state is not None and state.data_queue_mbit.size != devices:
        raise ServiceUnavailable(
            f"the service has {state.data_queue_mbit.size} devices and the emulation {devices}; "
            "give both the same scenario"
        )
