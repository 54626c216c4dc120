"""grpc.health.v1: whether reports are taken and kept, for probes, load balancers and clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2 as pb

from quedge.service.calls import Calls, EndedError
from quedge.service.methods import SERVICE, Method

NAME = "grpc.health.v1.Health"
_CHECK = Method("Check", pb.HealthCheckRequest, pb.HealthCheckResponse, False)
_WATCH = Method("Watch", pb.HealthCheckRequest, pb.HealthCheckResponse, True)
_KNOWN = ("", SERVICE)  # the server as a whole, and the service


class Health:
    """Tells of the service's health; it lives in the event loop. NOT_SERVING until it is told otherwise."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._is_serving, self._has_ended = False, False
        self._changed = asyncio.Event()

    def handlers(self) -> Any:
        """What a gRPC server calls for each method."""
        served = {_CHECK: self.check, _WATCH: self.watch}
        handlers = {method.name: self._calls.handler(method, serve) for method, serve in served.items()}
        return grpc.method_handlers_generic_handler(NAME, handlers)

    def set(self, is_serving: bool) -> None:
        """Reports are taken and kept from now on, or are not."""
        if is_serving != self._is_serving and not self._has_ended:
            self._is_serving = is_serving
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    def end(self) -> None:
        """The service ends: it serves no more, whatever follows."""
        self.set(False)
        self._has_ended = True

    async def check(self, request: pb.HealthCheckRequest, context: Any) -> pb.HealthCheckResponse:
        """Whether a service serves; an EndedError for one that is not known."""
        if request.service not in _KNOWN:
            raise EndedError(grpc.StatusCode.NOT_FOUND, f"there is no {request.service[:80]!r} here")
        return pb.HealthCheckResponse(status=self._status(request.service))

    async def watch(self, requests: AsyncGenerator[pb.HealthCheckRequest, None], context: Any) -> None:
        """The same now, and whenever it changes."""
        request = await anext(requests, None)
        told = None
        while request is not None:
            status, changed = self._status(request.service), self._changed
            if status != told:
                await context.write(pb.HealthCheckResponse(status=status))
                told = status
            else:
                await self._calls.wait(changed.wait)

    def _status(self, service: str) -> Any:
        if service not in _KNOWN:
            return pb.HealthCheckResponse.SERVICE_UNKNOWN
        return pb.HealthCheckResponse.SERVING if self._is_serving else pb.HealthCheckResponse.NOT_SERVING
