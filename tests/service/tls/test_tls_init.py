"""`quedge tls-init`, as its function and on a small command of its own."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from quedge.cli.tls_init import tls_init
from quedge.cli.usage import UsageError
from quedge.errors import MissingExtraError
from quedge.service.tls.files import ServerCertificates, channel_credentials
from tests.service.tls.pki import serving

FILES = {
    "ca.pem", "ca-key.pem", "server.pem", "server-key.pem", "client-base-station.pem", "client-base-station-key.pem",
}  # fmt: skip


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def wide_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_it_writes_an_authority_a_server_and_a_client(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tls_init(tmp_path / "pki")
    assert {path.name for path in (tmp_path / "pki").iterdir()} == FILES
    said = capsys.readouterr().out
    assert f"quedge serve --tls-cert {tmp_path}/pki/server.pem --tls-key {tmp_path}/pki/server-key.pem" in said
    assert "localhost, 127.0.0.1, ::1" in said


def test_its_files_serve_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    tls_init(folder, hosts=["edge.example"], clients=["bs-1", "bs-2"])
    with serving(
        ServerCertificates(folder / "server.pem", folder / "server-key.pem", folder / "ca.pem").credentials()
    ) as service:
        for name in ("bs-1", "bs-2"):
            credentials = channel_credentials(
                folder / "ca.pem", folder / f"client-{name}.pem", folder / f"client-{name}-key.pem"
            )
            assert service.answer(credentials, named="edge.example") == "answered"
    assert [peer.name for peer in service.peers] == ["bs-1", "bs-2"]


def test_one_object_says_where_everything_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tls_init(tmp_path / "pki", hosts=["edge"], days=2, clients=["a"], as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["clients"] == {
        "a": {"certificate": f"{tmp_path}/pki/client-a.pem", "key": f"{tmp_path}/pki/client-a-key.pem"}
    }
    assert found["server"]["names"] == ["localhost", "127.0.0.1", "::1", "edge"]
    assert found["valid_until"].endswith("+00:00")


@pytest.mark.usefixtures("wide_umask")
def test_keys_are_for_their_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    tls_init(tmp_path / "pki")
    assert mode(tmp_path / "pki") == 0o700
    for name in FILES:
        assert mode(tmp_path / "pki" / name) == (0o600 if name.endswith("-key.pem") else 0o644)


@pytest.mark.usefixtures("wide_umask")
def test_a_key_is_for_its_owner_only_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, int] = {}

    def synced(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        seen[path.name] = mode(path)

    monkeypatch.setattr(os, "chmod", None)  # nothing is mended afterwards
    monkeypatch.setattr(os, "fsync", synced)
    tls_init(tmp_path / "pki")
    assert {name for name, found in seen.items() if found == 0o600} == {n for n in FILES if n.endswith("-key.pem")}


@pytest.mark.parametrize("name", ["ca.pem", "server-key.pem", "client-base-station.pem"])
def test_nothing_is_overwritten_and_nothing_else_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"{name}: exists already; choose another folder"):
        tls_init(tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "server-key.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="exists already"):
        tls_init(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["server-key.pem"]


def test_files_of_others_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    tls_init(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES | {"notes.txt"}


@pytest.mark.parametrize("exists", [True, False])
def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool) -> None:
    folder, calls = tmp_path / "pki", iter(range(10))
    if exists:
        folder.mkdir()

    def full(descriptor: int) -> None:
        if next(calls) == 4:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"pki: cannot be written: No space left on device"):
        tls_init(folder)
    assert folder.exists() is exists
    assert list(tmp_path.rglob("*.pem")) == []


def test_without_cryptography_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    wanted = r"quedge tls-init needs cryptography, which is not installed: pip install 'quedge\[serve\]'"
    with pytest.raises(MissingExtraError, match=wanted):
        tls_init(tmp_path / "pki")


@pytest.mark.parametrize("days", ["0", "398", "-1", "1.5", "soon"])
def test_certificates_live_for_1_to_397_days(tmp_path: Path, days: str) -> None:
    app = typer.Typer()
    app.command()(tls_init)
    result = CliRunner().invoke(app, [str(tmp_path / "pki"), "--days", days])
    assert result.exit_code == 2
    assert not (tmp_path / "pki").exists()


def test_the_options_can_be_given_again(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(tls_init)
    arguments = ["--host", "edge", "--host", "192.0.2.1", "--client", "a", "--client", "b", "--days", "7", "--json"]
    found = json.loads(CliRunner().invoke(app, [str(tmp_path / "pki"), *arguments]).stdout)
    assert found["server"]["names"][3:] == ["edge", "192.0.2.1"]
    assert list(found["clients"]) == ["a", "b"]


def test_the_folder_above_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        tls_init(tmp_path / "a" / "b")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pki").write_text("mine")
    with pytest.raises(UsageError, match="pki: exists already"):
        tls_init(tmp_path / "pki")


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a b", "a-key", "é", "x" * 65])
def test_names_of_clients_that_are_no_file_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"--client: .* is not allowed"):
        tls_init(tmp_path / "pki", clients=[name])
    assert not (tmp_path / "pki").exists()


def test_a_client_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--client: 'a' is given twice"):
        tls_init(tmp_path / "pki", clients=["a", "b", "a"])


def test_a_host_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--host: 'a b' is not allowed; it must be a host name"):
        tls_init(tmp_path / "pki", hosts=["a b"])
    assert not (tmp_path / "pki").exists()
