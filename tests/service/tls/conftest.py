from __future__ import annotations

from collections.abc import Iterator

import pytest

from quedge.service.tls.certificates import Written
from quedge.service.tls.files import ServerCertificates
from tests.service.tls.pki import Service, serving, written


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return written(tmp_path_factory.mktemp("tls") / "pki")


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Certificates of another authority."""
    return written(tmp_path_factory.mktemp("tls") / "other")


@pytest.fixture(scope="module")
def service(pki: Written) -> Iterator[Service]:
    with serving(ServerCertificates(*pki.server, pki.ca.certificate).credentials()) as service:
        yield service
