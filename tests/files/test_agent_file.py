"""Agents' files: what was saved comes back, and nothing else is taken for an agent."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quedge.files.agent import (
    TrainingConfig,
    check_suffix,
    read_agent,
    read_parts,
    save_agent,
    training_config,
)
from quedge.model.scenario import Scenario
from quedge.policy.lydroo import EQUIVARIANT, Lydroo, NearestNeighbours, NoisyCopy, NoisyOrderPreserving
from quedge.policy.lydroo.archive import archive_of
from quedge.simulation.run import simulate
from quedge.simulation.training import Training, begin_training, train, world_digest
from quedge.simulation.world import draw_world

SMALL = Scenario(devices=4, weight=(2.0, 1.0, 1.0, 1.5))
SETTINGS = dataclasses.replace(EQUIVARIANT, batch=8, memory=40, update_every=2, quantiser=NearestNeighbours())


def trained(settings: Lydroo = SETTINGS, frames: int = 60) -> tuple[TrainingConfig, Training]:
    """A training of so many of 100 frames, and what determines it."""
    world = draw_world(SMALL, 100, seed=9)
    training = begin_training(settings, SMALL, seed=9)
    config = training_config("equivariant", settings, SMALL, 9, 100, world_digest(world))
    if frames:
        training, _ = next(train(SMALL, training, world, 9, part=frames))
    return config, training


@pytest.mark.parametrize("settings", [SETTINGS, Lydroo(update_every=2)], ids=["equivariant", "mlp"])
@pytest.mark.parametrize("frames", [0, 5, 60])
def test_a_saved_agent_goes_on_as_if_it_had_never_left(tmp_path: Path, settings: Lydroo, frames: int) -> None:
    config, training = trained(settings, frames)
    save_agent(tmp_path / "agent.npz", config, training)
    file = read_agent(tmp_path / "agent.npz")
    assert file.config == config
    assert file.settings == settings
    assert file.state.frames == frames
    world = draw_world(SMALL, 100, seed=9)
    whole = simulate(SMALL, settings, frames=100, seed=9)
    for _, trace in train(SMALL, file.resume(), world, 9, part=100):
        np.testing.assert_array_equal(trace.transmit_power_w, whole.transmit_power_w[frames:])
        np.testing.assert_array_equal(trace.notes["loss"], whole.notes["loss"][frames:])


def test_saving_replaces_the_file_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "agent.npz"
    save_agent(path, *trained(frames=5))
    save_agent(path, *trained(frames=60))
    assert read_agent(path).state.frames == 60
    assert list(tmp_path.iterdir()) == [path]


class Malicious:
    """What runs a command where a file is unpickled carelessly."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("touch stolen",)


def test_code_in_a_file_is_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("evil.npz", format="quedge-agent", version=1, course=np.array(Malicious(), dtype=object))
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(Malicious()))
    for name in ("evil.npz", "plain.npz"):
        with pytest.raises(ValueError, match=rf"{name}: is not an agent's file"):
            read_agent(Path(name))
    assert not (tmp_path / "stolen").exists()


def test_what_is_no_agent_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("text.npz", "empty.npz", "other.npz", "array.npy"):
        with pytest.raises(ValueError, match=rf"{name}: is not an agent's file; `quedge train` makes one"):
            read_agent(tmp_path / name)
    with pytest.raises(ValueError, match=r"none\.npz: cannot be read: No such file"):
        read_agent(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        read_agent(tmp_path)


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    save_agent(tmp_path / "agent.npz", *trained())
    whole = (tmp_path / "agent.npz").read_bytes()
    for share in (0.1, 0.5, 0.9, 0.999):
        (tmp_path / "cut.npz").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ValueError, match=r"cut\.npz: is (not )?an agent's file"):
            read_agent(tmp_path / "cut.npz")


def _without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: content.pop(name)


def _replaced(name: str, text: str, by: str) -> Callable[[dict[str, Any]], object]:
    def damage(content: dict[str, Any]) -> None:
        assert text in content[name]
        content[name] = content[name].replace(text, by)

    return damage


def saved_parts(folder: Path) -> dict[str, Any]:
    save_agent(folder / "agent.npz", *trained())
    return read_parts((folder / "agent.npz").read_bytes())


@pytest.mark.parametrize(
    "damage",
    [
        _without("weights"),
        _without("standing"),
        lambda content: content["weights"].pop("own.weight"),
        lambda content: content["weights"].update({"own.weight": np.zeros((3, 3), np.float32)}),
        lambda content: content["weights"]["own.weight"].fill(float("nan")),
        lambda content: content["moments"].pop("own.weight:exp_avg"),
        lambda content: content["replay"].update({"devices": np.full(40, 3)}),
        lambda content: content["replay"].update({"offload": np.zeros((40, 9), np.float32)}),
        lambda content: content["queues"].update({"energy_queue": np.zeros(4, np.float32)}),
        lambda content: content.update({"standing": "{}"}),
        lambda content: content.update(extra={"more": np.zeros(3)}),
        lambda content: content["weights"].update({"own.weight": np.zeros((32, 32))}),
        lambda content: content["moments"]["own.weight:exp_avg_sq"].fill(-1.0),
        lambda content: content["moments"]["own.weight:step"].fill(-1.0),
        lambda content: content["replay"]["offload"].fill(7.0),
        lambda content: content["replay"]["added"].fill(2**63 - 1),
        lambda content: content["replay"]["added"].fill(0),
        lambda content: content["replay"].update({"devices": np.array(3)}),
        lambda content: content["queues"]["data_queue_mbit"].fill(-5.0),
        lambda content: content["queues"]["energy_queue"].fill(1e308),
        _replaced("standing", '"frames": 60', '"frames": -1'),
        _replaced("standing", '"frames": 60', '"frames": 101'),
        _replaced("standing", '"winners": [', '"winners": [4, '),
        _replaced("standing", '"winners": [', '"winners": [Infinity, '),
        _replaced("standing", '"candidates": ', '"candidates": -'),
        _replaced("standing", '"inc": ', '"inc": -'),
        _replaced("course", '"nu"', '"mu"'),
        lambda content: content.update({"course": "[" * 100_000}),
        _replaced("standing", "PCG64", "Dice"),
        _replaced("course", '"batch": 8', '"batch": 0'),
        _replaced("course", '"shared"', '"huge"'),
        _replaced("course", '"devices": 4', '"devices": 5'),
        lambda content: content.update({"course": "[1]"}),
        _replaced("course", "equivariant", "exact"),
    ],
)
def test_a_damaged_file_is_refused_as_such(tmp_path: Path, damage: Callable[[dict[str, Any]], object]) -> None:
    parts = saved_parts(tmp_path)
    damage(parts)
    (tmp_path / "bad").write_bytes(archive_of(parts))
    with pytest.raises(ValueError, match=r"bad: is an agent's file that cannot be used: "):
        read_agent(tmp_path / "bad")


def test_a_file_of_another_version_says_so(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(archive_of({"format": "quedge-agent", "version": 7}))
    with pytest.raises(ValueError, match=r"new: .* of version 7, and this quedge reads versions 1 and 2"):
        read_agent(tmp_path / "new")


def test_a_file_of_before_a_key_was_there_means_its_default(tmp_path: Path) -> None:
    parts = saved_parts(tmp_path)
    course = json.loads(parts["course"])
    del course["scenario"]["queue_exponent"]
    parts["course"] = json.dumps(course)
    (tmp_path / "older.npz").write_bytes(archive_of(parts))
    assert read_agent(tmp_path / "older.npz").config == read_agent(tmp_path / "agent.npz").config


def test_a_file_of_before_equivariant_had_its_name_decides_as_it_did() -> None:
    """The file is of version 1: `lydroo-noma` with the shared actor, and noise on the logits."""
    file = read_agent(Path(__file__).with_name("agent_of_version_1.npz"))
    assert file.config.policy == "equivariant"
    assert file.settings.quantiser == NoisyOrderPreserving(copy=NoisyCopy.LOGIT)
    trace = simulate(Scenario(devices=3), file.policy(), frames=30, seed=0)
    assert trace.data_queue_mbit[15:].mean() == pytest.approx(2.9607236081018087, rel=1e-6)  # as it ran then
    assert trace.offload[15:].mean() == pytest.approx(0.7111111111111111, abs=1e-12)


def test_a_compressed_file_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    save_agent(tmp_path / "agent.npz", *trained())
    with (
        zipfile.ZipFile(tmp_path / "agent.npz") as stored,
        zipfile.ZipFile(tmp_path / "small", "w", zipfile.ZIP_DEFLATED) as small,
    ):
        for entry in stored.infolist():
            small.writestr(entry.filename, stored.read(entry))
    with pytest.raises(ValueError, match=r"small: is not an agent's file"):
        read_agent(tmp_path / "small")


def test_parts_come_back_as_they_were_stored(tmp_path: Path) -> None:
    parts = saved_parts(tmp_path)
    again = read_parts(bytes(archive_of(parts)))
    assert again.keys() == parts.keys()
    for name, part in parts.items():
        if isinstance(part, dict):
            assert again[name].keys() == part.keys()
            for member, values in part.items():
                np.testing.assert_array_equal(again[name][member], values)
        else:
            assert again[name] == part


def test_the_documentation_s_lines_make_npz_of_a_file_in_pytorch_s_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    config, training = trained()
    save_agent(tmp_path / "agent.npz", config, training)
    parts = read_parts((tmp_path / "agent.npz").read_bytes())
    before = {
        name: {key: torch.from_numpy(np.array(values, order="C")) for key, values in part.items()}
        if isinstance(part, dict)
        else part
        for name, part in parts.items()
    }  # as quedge kept agents in PyTorch's format
    torch.save(before, tmp_path / "agent.pt")
    whole = (tmp_path / "agent.npz").read_bytes()
    (tmp_path / "agent.npz").unlink()
    with pytest.raises(ValueError, match=r"agent\.pt: is in PyTorch's format, .* docs/lydroo\.md"):
        read_agent(tmp_path / "agent.pt")
    page = (Path(__file__).parents[2] / "docs" / "lydroo.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"^```py\n(import numpy.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    exec(compile(lines, "docs/lydroo.md", "exec"), {})
    assert read_parts((tmp_path / "agent.npz").read_bytes()).keys() == read_parts(whole).keys()
    file = read_agent(tmp_path / "agent.npz")
    assert file.config == config
    assert file.state.frames == 60
    for name, values in training.agent.state().weights.items():
        np.testing.assert_array_equal(file.state.weights[name], values)


@pytest.mark.parametrize("name", ["agent", "agent.zip", "agent.pt", "npz"])
def test_a_file_that_does_not_end_in_npz_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}: is not allowed; it must end in \.npz"):
        check_suffix(Path(name))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
def test_a_full_disk_is_an_error_of_the_system_with_the_file_s_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, training = trained(frames=5)
    save_agent(tmp_path / "agent.npz", config, training)
    before = (tmp_path / "agent.npz").read_bytes()
    monkeypatch.setattr("builtins.open", lambda *_, **__: os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb"))
    with pytest.raises(OSError, match="No space left") as failed:
        save_agent(tmp_path / "agent.npz", config, training)
    monkeypatch.undo()
    assert failed.value.filename == str(tmp_path / "agent.npz")
    assert (tmp_path / "agent.npz").read_bytes() == before
