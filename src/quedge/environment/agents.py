"""A cell in which every device is an agent of its own, as a parallel environment of PettingZoo's."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from quedge.environment.making import FRAMES, ScenarioLike, choice, make_cells, step_cells
from quedge.environment.rendering import RENDER_FPS, RENDER_MODES, RenderMode, Showing, checked_mode
from quedge.model.frame import Frame
from quedge.model.kernels import Floats32
from quedge.simulation.processes import ArrivalProcess, ChannelProcess
from quedge.simulation.vector_cells.action import Actions
from quedge.simulation.vector_cells.cells import States
from quedge.simulation.vector_cells.observation import (
    Reward,
    drift_plus_penalty_parts,
    objective_parts,
    observation_bounds,
    reward_unit,
)


class Sharing(StrEnum):
    """Whose reward an agent has."""

    SHARED = "shared"
    """All have that of the cell, as in `quedge/Offloading-v0`."""
    OWN = "own"
    """Each has its device's part; the parts add up to the cell's reward."""


class DevicesEnv(ParallelEnv[str, Floats32, Any]):
    """One cell, in which each device decides for itself whether it offloads; powers are allocated greedily.

    An agent sees the numbers of its own device, as `fill_observation` has them, and behind them the means of each over
    all devices, which an edge server can broadcast: shape (2 · numbers,), with 3 to 5 numbers. All agents act in every
    frame, and the episode of all of them is truncated at the end of its world.

    Attributes:
        possible_agents: "device_0" and on, in the order of the scenario.

    Example:
        >>> from quedge.pettingzoo import parallel_env
        >>> cell = parallel_env(scenario=quedge.Scenario(devices=2), frames=20, sharing="own")
        >>> observations, infos = cell.reset(seed=0)
        >>> observations, rewards, *_ = cell.step({"device_0": 1, "device_1": 0})
        >>> print(list(rewards), observations["device_0"].shape)
        ['device_0', 'device_1'] (6,)
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as PettingZoo declares it
        "name": "quedge_devices_v0", "render_modes": RENDER_MODES, "render_fps": RENDER_FPS, "is_parallelizable": True,
    }  # fmt: skip

    def __init__(
        self,
        scenario: ScenarioLike = None,
        frames: int = FRAMES,
        actions: str = "offload",
        reward: str = "objective",
        sharing: str = "shared",
        channel: ChannelProcess | None = None,
        arrivals: ArrivalProcess | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Set up the cell.

        Args:
            scenario: a scenario, or a scenario file; the paper's cell by default.
            frames: frames of an episode, at least 1.
            actions: what an agent's action decides: "offload" (or "multidiscrete", the same here), 0 or 1, or "powers",
                two numbers from −1 to 1, as in `Actions`.
            reward: what is rewarded: "objective" or "drift-plus-penalty".
            sharing: whether agents have the cell's reward, "shared", or their devices' parts of it, "own".
            channel: where channel gains come from; Rician fading by default.
            arrivals: where arrivals come from; exponential by default.
            render_mode: how the last frame is shown: "ansi", "rgb_array", "human" or not at all; see `RenderMode`.

        Raises:
            ValueError: naming the argument, its value and what is allowed.
            MissingExtraError: pictures are to be shown, and Matplotlib is not installed.
        """
        self._cells = make_cells(scenario, 1, frames, actions, reward, channel, arrivals)
        self._sharing, self._reward = choice("sharing", Sharing, sharing), Reward(reward)
        self.render_mode, mode = render_mode, checked_mode(render_mode)
        self._showing = None if mode is None else Showing(self._cells.scenario, mode)
        self.possible_agents = [f"device_{i}" for i in range(self._cells.scenario.devices)]
        self.agents: list[str] = []
        self._unit = reward_unit(self._cells.scenario)
        low, high = (self._own(bounds) for bounds in observation_bounds(self._cells.scenario))
        self._observed = [spaces.Box(*each, dtype=np.float32) for each in zip(low, high, strict=True)]
        self._decided = [self._action_space() for _ in self.possible_agents]
        self.state_space = spaces.Box(*observation_bounds(self._cells.scenario), dtype=np.float32)

    def _action_space(self) -> spaces.Discrete | spaces.Box:
        powers = self._cells.actions is Actions.POWERS
        return spaces.Box(-1.0, 1.0, (2,), np.float32) if powers else spaces.Discrete(2)

    @property
    def frame(self) -> Frame:
        """The state that the next actions decide, as policies take it."""
        return self._cells.frame_of(0)

    def observation_space(self, agent: str) -> spaces.Box:
        """What an agent observes."""
        return self._observed[self.possible_agents.index(agent)]

    def action_space(self, agent: str) -> spaces.Discrete | spaces.Box:
        """What an agent may do."""
        return self._decided[self.possible_agents.index(agent)]

    def state(self) -> Floats32:
        """The observation of the whole cell, as in `OffloadingEnv`, for training that sees all."""
        return np.asarray(self._cells.observations()[0])

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Floats32], dict[str, dict[str, Any]]]:
        """Begin an episode in a new world, with empty queues.

        Args:
            seed: seed of the world, the same world as in `simulate`; by default the next one drawn from the last seed.
            options: not used.

        Returns:
            By agent, its observation, and its `info`: the world's `seed`.
        """
        (used,) = self._cells.restart([seed])
        self.agents = list(self.possible_agents)
        if self._showing is not None:
            self._showing.restart()
            self._show_in_window()
        return self._by_agent(self._own(self.state())), {agent: {"seed": used} for agent in self.agents}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Floats32], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
    ]:  # fmt: skip
        """Carry out a frame.

        Args:
            actions: by agent, of all of them.

        Returns:
            By agent, the next observation, the reward, False, whether the episode is over, and its device's row of a
            trace.

        Raises:
            ValueError: an agent's action is missing or bad, or there is no episode.
        """
        if not self.agents:
            raise ValueError("agents: none is left; call reset() to begin an episode")
        missing = [agent for agent in self.agents if agent not in actions]
        if missing:
            raise ValueError(f"actions: none of {missing[0]!r}; it must have one of each of {len(self.agents)} agents")
        taken = np.array([np.asarray(actions[agent]) for agent in self.agents])
        together = taken.T.reshape(1, -1)  # first who offloads, then the shares of all
        frame, before = self.frame, self._cells.states()
        info, seen, reward = step_cells(self._cells, together, optimum=False)
        rewards = [float(reward[0])] * len(taken)
        if self._sharing is Sharing.OWN:
            rewards = self._parts(frame, before, info)
        own = [{name: _entry(values[0], i) for name, values in info.items()} for i in range(len(taken))]
        if self._showing is not None:
            self._showing.add({name: values[0] for name, values in info.items()}, self.frame.data_queue_mbit)
            self._show_in_window()
        agents, ended = self.agents, self._cells.ended
        told = self._by_agent(self._own(seen[0])), dict(zip(agents, rewards, strict=True)), dict.fromkeys(agents, False)
        self.agents = [] if ended else agents
        return (*told, dict.fromkeys(agents, ended), dict(zip(agents, own, strict=True)))

    def render(self) -> Any:
        """The last frame: text, a picture of shape (height, width, 3), or None where it is shown in a window."""
        return None if self._showing is None else self._showing.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._showing is not None:
            self._showing.close()

    def _parts(self, frame: Frame, before: States, info: Mapping[str, NDArray[Any]]) -> list[float]:
        """Each device's part of the cell's reward in a frame that was carried out."""
        rate_mbps = info["rate_mbps"][0]
        if self._reward is Reward.OBJECTIVE:
            queues = frame.data_queue_mbit, frame.energy_queue
            parts = objective_parts(frame.cell, queues, info["offload"][0], rate_mbps, info["power_w"][0])
        else:
            queues_before, queues_after = (
                (each.data_queue_mbit[0], each.energy_queue[0], each.server_queue_mbit[0])
                for each in (before, self._cells.states())
            )
            parts = drift_plus_penalty_parts(frame.cell, rate_mbps, queues_before, queues_after)
        return [float(part) / self._unit for part in parts]

    def _show_in_window(self) -> None:
        if self._showing is not None and self._showing.mode is RenderMode.HUMAN:
            self._showing.render()

    def _own(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """What each device sees of a cell's observation, shape (devices, 2 · numbers)."""
        own = seen.reshape(-1, len(self.possible_agents)).T
        means = np.broadcast_to(own.mean(axis=0), own.shape)
        return np.ascontiguousarray(np.hstack((own, means)), dtype=np.float32)

    def _by_agent(self, rows: NDArray[np.float32]) -> dict[str, Floats32]:
        return dict(zip(self.possible_agents, rows, strict=True))


def _entry(values: Any, device: int) -> Any:
    """A device's entry of what has one each, and what is of the whole cell as it is."""
    return values[device].item() if np.ndim(values) == 1 else values.item()
