from __future__ import annotations

import json

import pytest

pytest.importorskip("grpc")
pytest.importorskip("prometheus_client")

from prometheus_client.parser import text_string_to_metric_families

from quedge.service.monitoring.endpoints import TEXT, Reply
from quedge.service.processes.seen import endpoints_of_all, merged_live, merged_metrics, merged_probe

ONE = """# HELP quedge_frames_total Frames served.
# TYPE quedge_frames_total counter
quedge_frames_total{base_station="a",served_by="policy"} 3.0
# HELP up Whether.
# TYPE up gauge
up 1.0
"""
OTHER = """# HELP up Whether.
# TYPE up gauge
up 0.0
# HELP quedge_frames_total Frames served.
# TYPE quedge_frames_total counter
quedge_frames_total{base_station="b, \\"}\\" {",served_by="policy"} 5.0
"""


def said(status: int, text: str) -> Reply:
    return Reply(status, TEXT, f"{text}\n".encode())


def test_metrics_are_one_family_each_with_the_process_of_each_sample() -> None:
    told = merged_metrics({1: OTHER, 0: ONE})
    families = {family.name: family for family in text_string_to_metric_families(told)}
    assert families.keys() == {"quedge_frames", "up"}
    found = {
        (sample.labels["process"], sample.labels["base_station"]): sample.value
        for sample in families["quedge_frames"].samples
    }
    assert found == {("0", "a"): 3.0, ("1", 'b, "}" {'): 5.0}
    assert [sample.labels for sample in families["up"].samples] == [{"process": "0"}, {"process": "1"}]
    assert told.count("# HELP up ") == told.count("# TYPE up ") == 1


def test_a_service_is_well_where_all_processes_are() -> None:
    reply = merged_probe({0: said(200, "well\na: incarnation 1"), 1: said(200, "well\nb: incarnation 2")}, "well")
    assert (reply.status, reply.body) == (200, b"well\na: incarnation 1\nb: incarnation 2\n")


@pytest.mark.parametrize("other", [said(503, "roof: no space left"), "roof: no space left"])
def test_one_that_is_not_well_or_does_not_answer_is_named(other: Reply | str) -> None:
    reply = merged_probe({0: said(200, "well"), 1: other}, "well")
    assert (reply.status, reply.body) == (503, b"process 1: roof: no space left\n")


def test_the_page_shows_all_stations_in_one_time() -> None:
    def part(second: int, name: str, refused: int, state: str = "ready") -> bytes:
        station = {"name": name, "points": [[second - 1, 2.5]]}
        fields = {"state": state, "second": second, "refused": {"bad_value": refused}, "service": None}
        return json.dumps({**fields, "base_stations": [station]}).encode()

    told = json.loads(merged_live([part(9, "b", 2), part(4, "a", 3, "stopping")]))
    assert [(each["name"], each["points"]) for each in told["base_stations"]] == [("a", [[8, 2.5]]), ("b", [[8, 2.5]])]
    assert (told["second"], told["state"], told["refused"]) == (9, "stopping", {"bad_value": 5})


def test_before_any_process_shows_anything_probes_say_so_and_the_page_waits() -> None:
    endpoints = endpoints_of_all(lambda path: {0: "starting", 1: "starting"}, lambda: "up 1\n")
    for path in ("/healthz", "/readyz", "/startupz"):
        assert endpoints[path]().body == b"process 0: starting\nprocess 1: starting\n"
    assert endpoints["/live.json"]().status == 503
    assert endpoints["/metrics"]().body == b"up 1\n"
    assert endpoints["/"]().status == 200
