"""Server reflection: tools such as `grpcurl` ask for the contract, by the protocol's present or first name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection_pb2 as pb
from grpc_reflection.v1alpha.reflection import aio

from quedge.service.calls import Calls
from quedge.service.methods import Method

NAMES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
_INFO = Method("ServerReflectionInfo", pb.ServerReflectionRequest, pb.ServerReflectionResponse, True)


def reflection_handlers(calls: Calls, services: Sequence[str]) -> list[Any]:
    """What a gRPC server calls for questions about these services."""
    about = aio.ReflectionServicer([*services, *NAMES])

    async def serve(requests: AsyncGenerator[pb.ServerReflectionRequest, None], context: Any) -> None:
        async for response in about.ServerReflectionInfo(requests, context):
            await context.write(response)

    handlers = {_INFO.name: calls.handler(_INFO, serve)}
    return [grpc.method_handlers_generic_handler(name, handlers) for name in NAMES]
