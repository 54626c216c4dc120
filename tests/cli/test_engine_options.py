from __future__ import annotations

import pytest

from quedge import errors
from quedge.cli.reproduce import workers_for
from quedge.cli.usage import UsageError, with_ray_address
from quedge.errors import MissingExtraError
from quedge.experiments.engine.process_pool import ProcessPool


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["--ray"], ["--ray", "local"]),
        (["reproduce", "--ray", "fig3"], ["reproduce", "--ray", "local", "fig3"]),
        (["--ray", "--quick"], ["--ray", "local", "--quick"]),
        (["--ray", "10.0.0.1:6379", "fig3"], ["--ray", "10.0.0.1:6379", "fig3"]),
        (["--ray", "ray://head:10001"], ["--ray", "ray://head:10001"]),
        (["--ray", "auto"], ["--ray", "auto"]),
        (["--ray=auto"], ["--ray=auto"]),
        (["--quick"], ["--quick"]),
        ([], []),
    ],
    ids=" ".join,
)
def test_ray_means_this_machine_where_no_address_follows(given: list[str], meant: list[str]) -> None:
    assert with_ray_address(given) == meant


def test_processes_run_the_cells_unless_ray_is_asked_for() -> None:
    workers = workers_for(3, None)
    assert isinstance(workers, ProcessPool)
    assert workers.slots == 3


def test_a_cluster_has_its_own_number_of_processes() -> None:
    with pytest.raises(UsageError, match=r"--workers: 3 is not allowed with --ray 10\.0\.0\.1:6379"):
        workers_for(3, "10.0.0.1:6379")


def test_ray_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_is_installed", lambda module: False)
    with pytest.raises(
        MissingExtraError, match=r"--ray needs Ray, which is not installed: pip install 'quedge\[ray\]'"
    ):
        workers_for(None, "local")
