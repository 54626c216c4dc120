"""The one exception of a secured uplink."""

from __future__ import annotations


class Rejected(Exception):  # noqa: N818  (the protocol's own word: a message is accepted or rejected)
    """A message was not accepted; the session is over.

    The text says in a few words what was wrong with the message. It holds no key, no data and no received bytes.
    """
