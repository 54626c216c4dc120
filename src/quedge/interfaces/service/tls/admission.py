"""Whose calls are answered, and for which base stations a client may speak."""

from __future__ import annotations

from typing import Any, NamedTuple

from quedge.interfaces.service.tls.peer import names_of, refuse_unless_hybrid


class Speaker(NamedTuple):
    """Who makes a call.

    Attributes:
        names: the base stations for which it may speak; None for all.
    """

    names: frozenset[str] | None

    def may_speak_for(self, base_station: str) -> bool:
        """Whether it may report for a base station, and ask about it."""
        return self.names is None or base_station in self.names


class Admission(NamedTuple):
    """What is asked of a client besides its certificate.

    Attributes:
        hybrid_only: whether connections without a hybrid key exchange are refused.
        bind_names: whether a client speaks only for base stations whose name its certificate carries.
    """

    hybrid_only: bool = False
    bind_names: bool = False

    async def speaker(self, context: Any) -> Speaker:
        """Who makes a call; one that is not to be answered ends here.

        Args:
            context: what gRPC's asyncio server gives a method.
        """
        if self.hybrid_only:
            await refuse_unless_hybrid(context)
        return Speaker(names_of(context) if self.bind_names else None)


ANY_CLIENT = Admission()
"""Nothing is asked."""
