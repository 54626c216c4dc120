"""Base stations and devices that report, frame by frame."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from quedge.service.client.async_client import AsyncClient, AsyncDeviceStream, AsyncGatewayStream
from quedge.service.client.conversation import ReportRefused
from quedge.service.client.messages import Decided, DeviceDecided, GatewayDecided
from quedge.service.methods import DEVICE_VALUES


class Reports(NamedTuple):
    """What is reported in one frame of the emulation.

    Attributes:
        devices: numbers of the devices that report.
        channel_gain: channel gains of all devices (W/W), shape (devices of the cell,).
        arrived_mbit: what all devices would report of arrivals (Mbit), shape (devices of the cell,).
    """

    devices: NDArray[np.int64]
    channel_gain: NDArray[np.float64]
    arrived_mbit: NDArray[np.float64]


class FrameResult(NamedTuple):
    """The answers to the reports that were sent in one frame of the emulation.

    Attributes:
        decided: frames of the service that were answered, rising; more than one where devices did not join in time.
        refused: refusals.
        round_trips_s: time from each report to its answer (s).
    """

    decided: list[Decided]
    refused: list[ReportRefused]
    round_trips_s: list[float]


class Reporters(Protocol):
    """Who reports, and how."""

    async def report(self, away: NDArray[np.bool_], reports: Reports) -> FrameResult:
        """Report a frame and wait for all answers.

        Args:
            away: which devices have no stream, shape (devices of the cell,).
            reports: what is reported; by at least one device.

        Raises:
            ServiceUnavailable: an answer did not come.
        """
        ...

    async def close(self) -> None:
        """End all streams."""
        ...


_OUT_OF_TURN = ("OLD_FRAME", "FUTURE_FRAME")


class BaseStation:
    """See `Reporters`: one stream, from the frame that is due."""

    def __init__(self, client: AsyncClient, next_frame: int) -> None:
        self._stream = client.stream()
        self._next_frame = next_frame

    async def report(self, away: NDArray[np.bool_], reports: Reports) -> FrameResult:
        """See `Reporters.report`; a device that is away or whose report is lost is left out."""
        devices, gain, arrived = reports.devices, reports.channel_gain, reports.arrived_mbit
        some = None if devices.size == away.size else devices
        begun = time.perf_counter()
        try:
            decided = await self._stream.decide(self._next_frame, gain[devices], arrived[devices], None, some)
        except ReportRefused as refused:
            if refused.outcome in _OUT_OF_TURN and refused.next_frame is not None:
                self._next_frame = refused.next_frame
            return FrameResult([], [refused], [time.perf_counter() - begun])
        self._next_frame += 1
        return FrameResult([decided], [], [time.perf_counter() - begun])

    async def close(self) -> None:
        """See `Reporters.close`."""
        await self._stream.close()


class Devices:
    """See `Reporters`. A device opens a stream of the client's with its first report, and again after it was away."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._streams: dict[int, AsyncDeviceStream] = {}
        self._joined: set[int] = set()

    async def report(self, away: NDArray[np.bool_], reports: Reports) -> FrameResult:
        """See `Reporters.report`; streams of those who go away are closed first."""
        await _all(*(self._leave(device) for device in list(self._streams) if away[device]))
        heard: dict[int, dict[int, DeviceDecided]] = {}
        result = FrameResult([], [], [])

        async def ask(device: int, gain: float, arrived: float) -> None:
            begun = time.perf_counter()
            try:
                decided = await self._stream(device).decide(gain, arrived)
                self._joined.add(device)
                heard.setdefault(decided.frame, {})[device] = decided
            except ReportRefused as refused:
                result.refused.append(refused)
            result.round_trips_s.append(time.perf_counter() - begun)
            if device not in self._joined:  # the service may have ended the stream with its refusal
                await self._leave(device)

        gain, arrived = reports.channel_gain, reports.arrived_mbit
        await _all(*(ask(i, float(gain[i]), float(arrived[i])) for i in reports.devices.tolist()))
        result.decided.extend(joined(frame, heard[frame]) for frame in sorted(heard))
        return result

    async def close(self) -> None:
        """See `Reporters.close`."""
        await _all(*(stream.close() for stream in self._streams.values()))

    async def _leave(self, device: int) -> None:
        self._joined.discard(device)
        await self._streams.pop(device).close()

    def _stream(self, device: int) -> AsyncDeviceStream:
        if device not in self._streams:
            self._streams[device] = self._client.device(device)
        return self._streams[device]


class Gateways:
    """See `Reporters`. So many gateways share the devices, one consecutive group each."""

    def __init__(self, client: AsyncClient, gateways: int, devices: int) -> None:
        self._streams = [client.gateway() for _ in range(gateways)]
        self._groups = np.array_split(np.arange(devices), gateways)

    async def report(self, away: NDArray[np.bool_], reports: Reports) -> FrameResult:
        """See `Reporters.report`; a device that is away or whose report is lost is left out."""
        heard: dict[int, list[GatewayDecided]] = {}
        result = FrameResult([], [], [])

        async def ask(stream: AsyncGatewayStream, devices: NDArray[np.int64]) -> None:
            begun = time.perf_counter()
            try:
                told = reports.channel_gain[devices], reports.arrived_mbit[devices]
                decided = await stream.decide(devices, *told)
                heard.setdefault(decided.frame, []).append(decided)
            except ReportRefused as refused:
                result.refused.append(refused)
            result.round_trips_s.append(time.perf_counter() - begun)

        groups = (np.intersect1d(group, reports.devices) for group in self._groups)
        asked = zip(self._streams, groups, strict=True)
        await _all(*(ask(stream, devices) for stream, devices in asked if devices.size))
        result.decided.extend(joined_groups(frame, heard[frame]) for frame in sorted(heard))
        return result

    async def close(self) -> None:
        """See `Reporters.close`."""
        await _all(*(stream.close() for stream in self._streams))


def joined_groups(frame: int, parts: Sequence[GatewayDecided]) -> Decided:
    """A frame's answer from those to its gateways; its objective is not known."""
    order = np.argsort(np.concatenate([part.devices for part in parts]))
    is_tdma = any(part.time_share is not None for part in parts)
    names = ["devices", "offload", *DEVICE_VALUES, *(["time_share"] if is_tdma else [])]
    values: dict[str, Any] = {"time_share": None}
    values |= {name: np.concatenate([getattr(part, name) for part in parts])[order] for name in names}
    return Decided(frame=frame, **values, **_of_any(parts[0]))


def joined(frame: int, heard: Mapping[int, DeviceDecided]) -> Decided:
    """A frame's answer from those to its devices, by their numbers; its objective is not known."""
    devices = sorted(heard)
    parts = [heard[device] for device in devices]
    values: dict[str, Any] = {name: np.array([getattr(part, name) for part in parts]) for name in DEVICE_VALUES}
    is_tdma = any(part.time_share is not None for part in parts)
    return Decided(
        frame=frame,
        devices=np.array(devices, dtype=np.int64),
        offload=np.array([part.offload for part in parts], dtype=np.bool_),
        time_share=np.array([part.time_share or 0.0 for part in parts]) if is_tdma else None,
        **values,
        **_of_any(parts[0]),
    )


def _of_any(part: DeviceDecided | GatewayDecided) -> dict[str, Any]:
    """What each part of a frame's answer tells alike, and what none tells."""
    return {
        "objective": math.nan,
        "upper_bound": None,
        "served_by": part.served_by,
        "status": part.status,
        "repeated": False,
        "next_frame": part.frame + 1,
        "incarnation": part.incarnation,
    }


async def _all(*asked: Coroutine[Any, Any, None]) -> None:
    """Wait for all; where one fails, the others are not left behind."""
    tasks = [asyncio.create_task(each) for each in asked]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
