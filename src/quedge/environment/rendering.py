"""What an episode shows of itself: lines of text, pictures, or a window."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.environment.picture import Picture
from quedge.errors import check_installed, not_allowed, one_of
from quedge.model.kernels import Bools, Floats
from quedge.model.scenario import Scenario

RENDER_FPS = 10
"""Frames a second of recorded videos and of the window."""


class RenderMode(StrEnum):
    """How an environment shows its last frame."""

    ANSI = "ansi"
    """A table as text, which `render` returns."""
    RGB_ARRAY = "rgb_array"
    """A picture, which `render` returns: shape (height, width, 3), bytes."""
    HUMAN = "human"
    """The same picture in a window of Matplotlib's, after every frame."""


RENDER_MODES = [str(mode) for mode in RenderMode]


class Shown(NamedTuple):
    """What is shown of an episode after some frames.

    Attributes:
        frame: number of frames so far.
        data_queue_mbit: queues after the last frame (Mbit), shape (devices,).
        offload: who offloaded in the last frame, shape (devices,).
        transmit_power_w: with which power (W), shape (devices,).
        power_w: mean power of each device so far (W), shape (devices,).
        history: by frame so far, the means over the devices of the queue (Mbit) after it and of the power in it (W),
            and how many offloaded; shape (frames, 3).
    """

    frame: int
    data_queue_mbit: Floats
    offload: Bools
    transmit_power_w: Floats
    power_w: Floats
    history: Floats


class Showing:
    """Keeps what an episode of a cell shows, and shows it in one mode."""

    def __init__(self, scenario: Scenario, mode: RenderMode) -> None:
        """Begin with no frame.

        Raises:
            MissingExtraError: pictures are to be shown, and Matplotlib is not installed.
            ValueError: a window is to be shown, and none can be.
        """
        if mode is not RenderMode.ANSI:
            check_installed("matplotlib", f"render_mode={str(mode)!r}", "Matplotlib", "plot")
        self.scenario, self.mode = scenario, mode
        self._picture = Picture(scenario, in_window=True) if mode is RenderMode.HUMAN else None
        self.restart()

    def restart(self) -> None:
        """Begin another episode, with empty queues."""
        devices = self.scenario.devices
        self._queue, self._spent_w = np.zeros(devices), np.zeros(devices)
        self._offload, self._transmit_w = np.zeros(devices, np.bool_), np.zeros(devices)
        self._history: list[tuple[float, float, float]] = []

    def add(self, info: Mapping[str, Any], data_queue_mbit: NDArray[np.float64]) -> None:
        """Take a frame: its `info`, and the queues after it (Mbit), shape (devices,)."""
        self._queue, self._offload = data_queue_mbit, info["offload"]
        self._transmit_w = info["transmit_power_w"]
        self._spent_w = self._spent_w + info["power_w"]
        self._history.append((data_queue_mbit.mean(), info["power_w"].mean(), info["offload"].sum()))

    @property
    def shown(self) -> Shown:
        """What is shown now."""
        frames = len(self._history)
        history = np.array(self._history, np.float64).reshape(frames, 3)
        decided = self._offload, self._transmit_w, self._spent_w / max(frames, 1)
        return Shown(frames, self._queue, *decided, history)

    def render(self) -> str | NDArray[np.uint8] | None:
        """The table, the picture, or nothing where a window has it."""
        if self.mode is RenderMode.ANSI:
            return table(self.scenario, self.shown)
        if self._picture is None:
            self._picture = Picture(self.scenario, in_window=self.mode is RenderMode.HUMAN)
        self._picture.draw(*self.shown)
        if self.mode is RenderMode.RGB_ARRAY:
            return self._picture.pixels()
        self._picture.show(1.0 / RENDER_FPS)
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._picture is not None:
            self._picture.close()
            self._picture = None

    def __getstate__(self) -> dict[str, Any]:
        """All but the picture, which is drawn anew."""
        return self.__dict__ | {"_picture": None}


def checked_mode(render_mode: str | None) -> RenderMode | None:
    """The mode of that name; None shows nothing.

    Raises:
        ValueError: there is no such mode.
    """
    if render_mode is None:
        return None
    if render_mode not in RENDER_MODES:
        raise not_allowed("render_mode", render_mode, f"None or {one_of(RENDER_MODES)}")
    return RenderMode(render_mode)


def table(scenario: Scenario, shown: Shown) -> str:
    """One line of the frame, and one of each device."""
    budget_w = scenario.per_device("power_budget_w")
    lines = [
        f"frame {shown.frame}: queue {shown.data_queue_mbit.mean():.2f} Mbit, power {shown.power_w.mean():.4f} of "
        f"{budget_w.mean():.4f} W, {int(shown.offload.sum())} of {scenario.devices} devices offload",
        "device   queue (Mbit)   transmit power (W)   mean power (W)   budget (W)",
    ]
    for i in range(scenario.devices):
        transmit = f"{shown.transmit_power_w[i]:.4f}" if shown.offload[i] else "local"
        powers = f"{transmit:>18}   {shown.power_w[i]:14.4f}   {budget_w[i]:10.4f}"
        lines.append(f"{i:6}   {shown.data_queue_mbit[i]:12.2f}   {powers}")
    return "\n".join(lines) + "\n"
