"""`quedge export`, and exported actors on the command line."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import quedge
from quedge.files.agent import read_agent
from quedge.files.exported import read_exported, write_exported
from tests.cli.in_process import main_in
from tests.cli.test_cli import FRAME, objects, run

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained agent and its exported actor, of either kind."""
    folder = tmp_path_factory.mktemp("exported")
    for name, policy in (("agent", "equivariant"), ("mlp", "lydroo-noma")):
        done = run("train", "--out", f"{name}.npz", "--frames", "60", "--set", "devices=3", "--learner", "batch=8",
                   "--policy", policy, folder=folder)  # fmt: skip
        assert done.returncode == 0, done.stderr
        done = run("export", f"{name}.npz", f"{name}.onnx", folder=folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"Written to {name}.onnx: the actor of {policy}, trained with 3 devices.\n"
    return folder


def test_the_model_says_how_it_is_to_be_run(folder: Path) -> None:
    model = onnx.load(folder / "agent.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert (model.producer_name, model.producer_version) == ("quedge", quedge.__version__)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["policy"] == "equivariant"
    settings = json.loads(metadata["settings"])
    assert settings["quantiser"] == {"kind": "noisy-order-preserving", "noise": 1.0, "copy": "logit"}
    assert settings["candidates"] is None
    exported = read_exported(folder / "agent.onnx").lydroo
    assert exported.settings == read_agent(folder / "agent.npz").settings


@pytest.mark.parametrize("name", ["agent", "mlp"])
def test_it_answers_as_the_agent_s_own_file(folder: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    frames = [
        {"channel_gain": (10.0 ** rng.uniform(-13, -9, 3)).tolist(), "data_queue_mbit": rng.exponential(8, 3).tolist(),
         "energy_queue": rng.exponential(5, 3).tolist()}
        for _ in range(50)
    ]  # fmt: skip
    given = "".join(json.dumps(frame) + "\n" for frame in frames)
    policy = {"agent": "equivariant", "mlp": "lydroo-noma"}[name]
    ours, theirs = (
        run("decide", "--agent", f"{name}.{kind}", "--policy", policy, folder=folder, given=given)
        for kind in ("npz", "onnx")
    )
    assert (ours.returncode, theirs.returncode) == (0, 0), theirs.stderr
    assert objects(theirs.stdout) == objects(ours.stdout)


@pytest.mark.parametrize("command", ["run --frames 3", "decide frame.jsonl"])
def test_no_pytorch_is_loaded(folder: Path, command: str) -> None:
    (folder / "frame.jsonl").write_text(FRAME)
    program = (
        "import sys; from quedge.cli import main; "
        f"status = main({[*command.split(), '--agent', 'agent.onnx', '--policy', 'equivariant']!r}); "
        "assert 'torch' not in sys.modules and 'onnx' not in sys.modules; assert 'onnxruntime' in sys.modules; "
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_sweep_runs_it_on_processes(folder: Path) -> None:
    done = run("sweep", "--agent", "agent.onnx", "--vary", "devices=2,4", "--frames", "20", "--seeds", "1",
               "--workers", "1", "--out", "swept", folder=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr


def _changed(**replaced: str) -> Callable[[Any], object]:
    return lambda model: [
        setattr(entry, "value", replaced[entry.key]) for entry in model.metadata_props if entry.key in replaced
    ]


def _bias(number: float) -> Callable[[Any], object]:
    def change(model: Any) -> None:
        (held,) = (tensor for tensor in model.graph.initializer if tensor.name == "output.bias")
        held.CopyFrom(onnx.numpy_helper.from_array(np.full(1, number, np.float32), "output.bias"))

    return change


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (_changed(format="other"), "is an ONNX model, but no exported actor; `quedge export` makes one"),
        (_changed(format_version="7"), "cannot be used: it is of version '7', and this quedge reads version 2; "),
        (
            _changed(format_version="1"),
            "version '1', and this quedge reads version 2; `quedge export` writes it anew from",
        ),
        (_changed(policy="exact"), "policy: 'exact' is not allowed; it must be one of equivariant"),
        (_changed(devices="-1"), "devices: -1 is not allowed"),
        (_changed(devices="many"), "cannot be used: invalid literal"),
        (_changed(settings="{}"), "settings: the names are not those of LyDROO's settings"),
        (_changed(settings="[" * 5000), "cannot be used: "),
        (_bias(float("nan")), "its logits for a plain frame are not finite"),
        (lambda model: setattr(model.graph.input[0], "name", "gain"), "is no exported actor: ONNX Runtime cannot load"),
        (lambda model: setattr(model.graph.node[0], "op_type", "Mystery"), "ONNX Runtime cannot load it"),
    ],
)
def test_a_model_that_is_no_exported_actor_is_refused_by_its_name(
    folder: Path, tmp_path: Path, damage: Callable[[Any], object], complaint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(folder / "agent.onnx")
    damage(model)
    (tmp_path / "bad.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=r"bad\.onnx: is ") as refused:
        read_exported(tmp_path / "bad.onnx")
    assert complaint in str(refused.value)
    assert capfd.readouterr().err == ""  # ONNX Runtime adds nothing of its own


def test_the_example_of_the_documentation_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```py\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    (folder / "example").mkdir()
    (folder / "example" / "actor.onnx").write_bytes((folder / "agent.onnx").read_bytes())
    monkeypatch.chdir(folder / "example")
    found: dict[str, Any] = {}
    exec(compile(example, "docs/onnx.md", "exec"), found)
    settings, frame = read_agent(folder / "agent.npz"), found["frame"]
    features = quedge.device_features(frame, settings.settings.inputs)
    expected = settings.settings.actor.logits(settings.state.weights, features)
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-5, atol=1e-5)


def test_what_is_no_model_is_refused_wherever_it_ends(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "agent.onnx").read_bytes()
    for share in (0.0, 0.3, 0.9, 0.999):
        (tmp_path / "cut.onnx").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ValueError, match=r"cut\.onnx: is "):
            read_exported(tmp_path / "cut.onnx")
    (tmp_path / "agent.onnx").write_bytes((folder / "agent.npz").read_bytes())
    with pytest.raises(ValueError, match=r"agent\.onnx: is no exported actor"):
        read_exported(tmp_path / "agent.onnx")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["export", "agent.npz", "actor.pt"], "FILE: actor.pt: is not allowed; its name must end in .onnx"),
        (["export", "agent.onnx", "other.onnx"], "agent.onnx: is not an agent's file"),
        (["export", "none.npz", "other.onnx"], "none.npz: cannot be read: No such file"),
        (["export", "agent.npz", "/proc/none/a.onnx"], "/proc/none: cannot be written to"),
        (["run", "--agent", "none.onnx"], "none.onnx: cannot be read: No such file"),
        (["run", "--agent", "agent.onnx", "--policy", "exact"], "equivariant, which is not among the policies"),
        (["run", "--agent", "mlp.onnx", "--set", "devices=4"], "devices: 4 is not allowed; this mlp actor was"),
        (["train", "--out", "new.onnx"], "--out: new.onnx: is not allowed; `quedge export`"),
        (["serve", "--learn", "--agent", "agent.onnx"], "--learn: agent.onnx: is an exported actor, which"),
    ],
)  # fmt: skip
def test_an_error_of_use_is_one_line_with_status_2(folder: Path, arguments: list[str], complaint: str) -> None:
    done = main_in(folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_library_that_is_missing_is_told_with_its_extra(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = read_agent(folder / "agent.npz")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"quedge export needs onnx, .* 'quedge\[export\]'"):
        write_exported(tmp_path / "new.onnx", agent)
    with pytest.raises(ImportError, match=r"an exported actor needs ONNX Runtime, .* 'quedge\[onnx\]'"):
        read_exported(folder / "agent.onnx")
