"""A service that decides nothing, for `benchmarks.service.latency`.

Its answers are as long as a decision's. What a round trip to it takes, gRPC takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from quedge.service import methods
from quedge.service import quedge_pb2 as pb


def answer(request: pb.FrameReport) -> pb.FrameAnswer:
    """An answer in which nothing is decided."""
    values = request.channel_gain
    return pb.FrameAnswer(
        frame=request.frame,
        outcome=pb.SERVED,
        devices=range(len(values)),
        offload=[True] * len(values),
        transmit_power_w=values,
        cpu_frequency_hz=values,
        rate_mbps=values,
        power_w=values,
        data_queue_mbit=values,
        energy_queue=values,
    )


async def answers(requests: AsyncIterator[pb.FrameReport], context: Any) -> None:
    """One for each request."""
    async for request in requests:
        await context.write(answer(request))


async def serve() -> None:
    """Answer until the process is ended."""
    method = methods.SERVE_FRAMES
    handler = grpc.stream_stream_rpc_method_handler(answers, method.request.FromString, method.reply.SerializeToString)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(methods.SERVICE, {method.name: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve())
