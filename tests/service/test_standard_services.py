"""What every gRPC service has: health, and its contract for who asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from quedge.service import methods
from quedge.service.health import NAME
from quedge.service.reflection import NAMES
from quedge.service.tls.access import AccessPolicy
from tests.service.service_under_test import Service
from tests.service.wire import PATIENCE_S, connected

Status = health_pb2.HealthCheckResponse


@pytest.fixture(scope="module")
def channel() -> Iterator[grpc.Channel]:
    with Service() as service, connected(service.target) as channel:
        yield channel


def check(channel: grpc.Channel, service: str = "") -> Any:
    call = channel.unary_unary(f"/{NAME}/Check", health_pb2.HealthCheckRequest.SerializeToString, Status.FromString)
    return call(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S).status


def watch(channel: grpc.Channel, service: str = "") -> Any:
    call = channel.unary_stream(f"/{NAME}/Watch", health_pb2.HealthCheckRequest.SerializeToString, Status.FromString)
    return call(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S)


@pytest.mark.parametrize("service", ["", methods.SERVICE])
def test_a_service_that_takes_reports_serves(channel: grpc.Channel, service: str) -> None:
    assert check(channel, service) == Status.SERVING
    watching = watch(channel, service)
    assert next(watching).status == Status.SERVING
    watching.cancel()


def test_a_service_that_is_not_there_is_not_known(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        check(channel, "quedge.v9.Controller")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    watching = watch(channel, "quedge.v9.Controller")
    assert next(watching).status == Status.SERVICE_UNKNOWN
    watching.cancel()


def test_who_watches_a_service_that_ends_is_told_so() -> None:
    with Service() as service, connected(service.target) as channel:
        watching = watch(channel)
        assert next(watching).status == Status.SERVING
        service.end()
        with pytest.raises(grpc.RpcError):
            until_over(watching)
        assert watching.code() is grpc.StatusCode.UNAVAILABLE


def until_over(watching: Any) -> None:
    for told in watching:
        assert told.status == Status.NOT_SERVING


def test_the_contract_can_be_asked_for(channel: grpc.Channel) -> None:
    database = ProtoReflectionDescriptorDatabase(channel)
    assert {methods.SERVICE, NAME} < set(database.get_services())
    names = [method.name for method in database.FindFileContainingSymbol(methods.SERVICE).service[0].method]
    assert names == ["ServeFrames", "ServeDevice", "ServeGateway", "Decide", "State", "Checkpoint", "Follow"]


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_asked_for_by_the_present_name_of_the_protocol_and_by_its_first(
    channel: grpc.Channel, name: str
) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="*")
    call = channel.stream_stream(
        f"/{name}/ServerReflectionInfo", request.SerializeToString, reflection_pb2.ServerReflectionResponse.FromString
    )
    (answer,) = call(iter([request]), timeout=PATIENCE_S)
    assert methods.SERVICE in {service.name for service in answer.list_services_response.service}


def test_who_is_not_let_in_is_told_nothing() -> None:
    with Service(access=AccessPolicy(hybrid_only=True)) as service, connected(service.target) as channel:
        with pytest.raises(grpc.RpcError) as raised:
            check(channel)
        assert raised.value.code() is grpc.StatusCode.FAILED_PRECONDITION
