"""How gRPC waits for the network, to be said before it is imported: it reads its environment then."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

_DIRECTLY = "-event_engine_client,-event_engine_listener"


def poll_directly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let the thread that waits for a message take it from the network itself.

    Otherwise a pool of gRPC's own takes it and wakes that thread, which a round trip on loopback has to wait for on
    either side: 0.56 ms instead of 0.43 in one run (`python -m benchmarks.service.latency`, with GRPC_EXPERIMENTS set
    to nothing and without). Whoever has set that variable has it their own way, and a gRPC that knows nothing but its
    pool works with that.

    Args:
        environment: of this process, or of one that is to be begun.
    """
    environment.setdefault("GRPC_EXPERIMENTS", _DIRECTLY)
