"""Training by Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.noise import NormalActionNoise

from quedge.environment.stable_baselines import StableBaselinesEnv
from quedge.environment.vector import OffloadingVectorEnv
from quedge.experiments.model_free.algorithms import Algorithm
from quedge.experiments.model_free.trainer import Layers


def trained_layers(
    algorithm: Algorithm, cells: OffloadingVectorEnv, frames: int, seed: int, settings: Mapping[str, Any]
) -> tuple[Layers, int]:
    """Train an algorithm from nothing, on at least so many frames of experience over all cells, in whole updates.

    The seed is that of the first weights, the actions and the worlds; the settings are arguments of its class.

    Returns:
        The network that decides, and the number of frames that it took.
    """
    env = StableBaselinesEnv(cells, seed, algorithm.action)
    noise = {}
    if algorithm.noise > 0.0:
        mean = np.zeros(env.action_space.shape or ())
        noise = {"action_noise": NormalActionNoise(mean, np.full_like(mean, algorithm.noise))}
    with _one_thread():
        kind = getattr(stable_baselines3, algorithm.name)
        agent = kind("MlpPolicy", env, seed=seed, device="cpu", **settings, **noise)
        agent.learn(frames)
        weights = {name: values.cpu().numpy().astype(np.float32) for name, values in agent.policy.state_dict().items()}
    names = [name.removesuffix(".weight") for name in weights if name.endswith(".weight")]
    deciding = [name for name in names if name.startswith(algorithm.layers)]
    return tuple((weights[f"{name}.weight"], weights[f"{name}.bias"]) for name in deciding), agent.num_timesteps


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch on one thread: more slow down small networks, and sums would depend on their number."""
    threads = torch.get_num_threads()
    if threads != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if threads != 1:
            torch.set_num_threads(threads)
