"""An exported actor's file: an ONNX model that says of itself how it is to be run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from quedge import __version__
from quedge.errors import check_installed, not_allowed, one_of
from quedge.files.agent import AgentFile
from quedge.files.atomic import content_of, whole_file
from quedge.model.cell import cell_of
from quedge.model.frame import checked_frame
from quedge.model.scenario import Scenario
from quedge.policy.learners import LEARNERS, lydroo_of_object, settings_object
from quedge.policy.lydroo.features import device_features
from quedge.policy.lydroo.onnx.policy import ExportedLydroo

SUFFIX = ".onnx"
"""By it an exported actor is told from an agent's file."""

_FORMAT, _VERSION = "quedge-actor", "2"


class Exported(NamedTuple):
    """What a file holds: the policy's name, and the policy."""

    policy: str
    lydroo: ExportedLydroo


def write_exported(path: Path, agent: AgentFile) -> None:
    """Write an agent's network as an ONNX model, as a whole or not at all.

    The model carries the settings that its policy needs to go on - critic, quantiser, K and when it adapts - and, as a
    record, those under which it learned; nothing of the training itself.

    Raises:
        MissingExtraError: onnx is not installed.
        OSError: the file cannot be written.
    """
    check_installed("onnx", "quedge export", "onnx", "export")
    from quedge.policy.lydroo.onnx.graph import actor_model

    settings, state = agent.settings, agent.state
    metadata = {
        "format": _FORMAT,
        "format_version": _VERSION,
        "policy": agent.config.policy,
        "devices": str(state.devices),
        "settings": json.dumps(settings_object(settings)),
    }
    model = actor_model(settings.actor, settings.inputs.features, state.weights, state.devices, __version__, metadata)
    with whole_file(path) as file:
        file.write(model.SerializeToString())


def read_exported(path: Path) -> Exported:
    """Read an exported actor.

    Raises:
        ValueError: it cannot be read or is none; the message names it, and what is wrong.
        MissingExtraError: ONNX Runtime is not installed.
    """
    check_installed("onnxruntime", "an exported actor", "ONNX Runtime", "onnx")
    model = content_of(path)
    from quedge.policy.lydroo.onnx.forward import metadata_of

    try:
        metadata = metadata_of(model)
    except ValueError as error:
        raise ValueError(f"{path}: is no exported actor: {error}") from None
    if metadata.get("format") != _FORMAT:
        raise ValueError(f"{path}: is an ONNX model, but no exported actor; `quedge export` makes one")
    try:
        return _checked(model, metadata)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: is an exported actor that cannot be used: {error}") from None


def _checked(model: bytes, metadata: Mapping[str, str]) -> Exported:
    version = metadata["format_version"]
    if version != _VERSION:
        raise ValueError(
            f"it is of version {version[:60]!r}, and this quedge reads version {_VERSION}; `quedge export` writes "
            "it anew from the agent's own file"
        )
    policy = metadata["policy"]
    if policy not in LEARNERS:
        raise not_allowed("policy", policy, one_of(LEARNERS))
    settings = lydroo_of_object(json.loads(metadata["settings"]))
    devices = Scenario(devices=int(metadata["devices"])).devices
    lydroo = ExportedLydroo(settings, model, devices)
    quiet = np.ones(devices)
    frame = checked_frame(cell_of(Scenario(devices=devices)), 1e-11 * quiet, quiet, quiet)
    logits = lydroo.forward().logits(device_features(frame, settings.inputs))
    if logits.shape != (devices,) or not np.isfinite(logits).all():
        raise ValueError("its logits for a plain frame are not finite")
    return Exported(policy, lydroo)
