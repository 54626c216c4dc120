"""Clients of the service, for programs that wait and for those that do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from quedge.interfaces.service import methods
from quedge.interfaces.service import quedge_pb2 as pb


class Client:
    """A base station's connection to the service; `with` closes it.

    Args:
        target: "host:port".
        base_station: its name.
        credentials: of TLS, as `grpc.ssl_channel_credentials` makes them; None for plain text.
    """

    def __init__(self, target: str, base_station: str = "base-station", credentials: Any = None) -> None:
        import grpc

        secure = credentials is not None
        self._channel = grpc.secure_channel(target, credentials) if secure else grpc.insecure_channel(target)
        self._base_station = base_station
        self._calls = {
            method: getattr(self._channel, "stream_stream" if method.streams else "unary_unary")(
                method.path, method.request.SerializeToString, method.reply.FromString
            )
            for method in (methods.SERVE_FRAMES, methods.DECIDE, methods.STATE, methods.CHECKPOINT)
        }

    def report(
        self,
        frame: int,
        channel_gain: Sequence[float],
        arrived_mbit: Sequence[float],
        data_queue_mbit: Sequence[float] = (),
        devices: Sequence[int] = (),
    ) -> pb.FrameReport:
        """A report of this base station; see the contract for its fields."""
        return pb.FrameReport(
            base_station=self._base_station,
            frame=frame,
            devices=devices,
            channel_gain=channel_gain,
            arrived_mbit=arrived_mbit,
            data_queue_mbit=data_queue_mbit,
        )

    def serve_frames(self, reports: Iterable[pb.FrameReport]) -> Iterator[pb.FrameAnswer]:
        """An answer to each report, over one stream."""
        return self._calls[methods.SERVE_FRAMES](iter(reports))  # type: ignore[no-any-return]

    def decide(self, report: pb.FrameReport, timeout_s: float = 5.0) -> pb.FrameAnswer:
        """The answer to one report."""
        answer: pb.FrameAnswer = self._calls[methods.DECIDE](report, timeout=timeout_s)
        return answer

    def state(self, timeout_s: float = 5.0) -> pb.StateReply:
        """Where this base station's cell stands."""
        request = pb.StateRequest(base_station=self._base_station)
        reply: pb.StateReply = self._calls[methods.STATE](request, timeout=timeout_s)
        return reply

    def checkpoint(self, timeout_s: float = 5.0) -> pb.CheckpointReply:
        """Have the service keep where the cell stands."""
        request = pb.CheckpointRequest(base_station=self._base_station)
        reply: pb.CheckpointReply = self._calls[methods.CHECKPOINT](request, timeout=timeout_s)
        return reply

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
