"""Where a controller stands, as bytes: plain arrays and JSON, never code."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.controller.controller import Standing
from quedge.controller.state import Books
from quedge.policy.lydroo import AgentState

_AGENT_ARRAYS = ("weights", "moments", "replay")


def packed(standing: Standing) -> bytes:
    """A standing as bytes, which `unpacked` reads back exactly."""
    arrays: dict[str, NDArray[Any]] = {
        "data_queue_mbit": standing.books.data_queue_mbit,
        "energy_queue": standing.books.energy_queue,
    }
    plain: dict[str, Any] = {"next_frame": standing.books.next_frame, "random_state": standing.random_state}
    agent = standing.agent
    if agent is not None:
        for part in _AGENT_ARRAYS:
            arrays |= {f"{part}/{name}": values for name, values in getattr(agent, part).items()}
        plain["agent"] = {
            "devices": agent.devices,
            "candidates": agent.candidates,
            "winners": [int(winner) for winner in agent.winners],
            "frames": agent.frames,
        }
    arrays["plain"] = np.frombuffer(json.dumps(plain).encode(), dtype=np.uint8)
    written = io.BytesIO()
    np.savez(written, **arrays)  # type: ignore[arg-type]  # its keywords are arrays, but for one that no name is
    return written.getvalue()


def unpacked(data: bytes) -> Standing:
    """A standing that `packed` wrote.

    Raises:
        ValueError: the bytes are none.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        plain = json.loads(arrays.pop("plain").tobytes())
        books = Books(int(plain["next_frame"]), arrays["data_queue_mbit"], arrays["energy_queue"])
        agent = _agent(plain["agent"], arrays) if "agent" in plain else None
        return Standing(books, plain["random_state"], agent)
    except Exception as error:  # an archive that is damaged raises what it likes
        raise ValueError(f"checkpoint: cannot be read: {error}") from None


def _agent(plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> AgentState:
    parts: dict[str, dict[str, NDArray[Any]]] = {part: {} for part in _AGENT_ARRAYS}
    for key, values in arrays.items():
        part, slash, name = key.partition("/")
        if slash:
            parts[part][name] = values
    return AgentState(
        devices=plain["devices"],
        weights=parts["weights"],
        moments=parts["moments"],
        replay=parts["replay"],
        candidates=plain["candidates"],
        winners=plain["winners"],
        frames=plain["frames"],
    )
