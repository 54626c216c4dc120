"""The server: it recovers the data, or rejects what was sent and ends the session."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from quedge.pqc.uplink import key_exchange, records
from quedge.pqc.uplink.algorithms import LiveSuite
from quedge.pqc.uplink.primitives import TAG_BYTES, KemSecretKey, Rejected

MAX_FRAME_BYTES = 125_000_000

_ANY_DEVICE = -1

Read = Callable[[int], bytes]
"""Gives exactly so many received bytes, or raises `Rejected`."""


class Server:
    """The receiving side of uplinks, one session at a time. Its repr shows no key.

    It remembers the last epoch of each device, in memory: the next key exchange must bring the one after it.

    Args:
        live: the suite.
        secret_key: its own, of the suite's KEM.
        device_keys: pinned public keys of its devices, by their numbers; a ValueError of one that is none.
        max_frame_bytes: most data of a frame that it takes.
    """

    def __init__(
        self,
        live: LiveSuite,
        secret_key: KemSecretKey,
        device_keys: Mapping[int, bytes],
        max_frame_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        for key in device_keys.values():
            live.signature.public(key)
        self.live = live
        self.max_frame_bytes = max_frame_bytes
        self._secret_key = secret_key
        self._device_keys = dict(device_keys)
        self._last_epoch = dict.fromkeys(device_keys, 0)

    def session(self) -> Session:
        """A new session, which begins with a key exchange."""
        return Session(self)

    def accept(self, read: Read, device: int) -> tuple[int, key_exchange.Agreed]:
        """Take a key exchange, of this device or, where it is -1, of any that is known.

        Returns:
            Who sent it, and what both sides have now.

        Raises:
            Rejected: it is not the next one of such a device.
        """
        head = read(key_exchange.HEADER_BYTES)
        header = key_exchange.check_header(self.live, head)
        if header.device not in self._device_keys or device not in (_ANY_DEVICE, header.device):
            raise Rejected("key exchange: another device")
        if header.epoch != self._last_epoch[header.device] + 1:
            raise Rejected("key exchange: not the next epoch")
        body = read(self.live.kem.row.output_bytes + self.live.signature.row.output_bytes)
        agreed = key_exchange.accept(self.live, head, body, self._secret_key, self._device_keys[header.device])
        self._last_epoch[header.device] = header.epoch
        return header.device, agreed

    def verifies(self, device: int, signature: bytes, digest: bytes) -> bool:
        """Whether a device signed a frame of this digest."""
        key = self.live.signature.public(self._device_keys[device])
        return key.verifies(signature, digest, key_exchange.FRAME_CONTEXT)


class Session:
    """What a server takes over one connection. The first rejection ends it. Its repr shows no key."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._device = _ANY_DEVICE
        self._agreed: key_exchange.Agreed | None = None
        self._at = records.Position()
        self._ended = False

    def receive(self, read: Read) -> bytes:
        """The data of the next frame, once all of it is authentic; `read` gives the bytes as they arrived.

        Raises:
            Rejected: something is not as the device sent it; no data of the frame is given, and no frame after it.
        """
        if self._ended:
            raise Rejected("session: it has ended")
        try:
            return self._frame(read)
        except BaseException:
            self._ended, self._agreed = True, None
            raise

    def _frame(self, read: Read) -> bytes:
        live = self._server.live
        if self._agreed is None or self._at.frame == live.suite.rekey_frames:
            self._agreed = None  # the old keys are gone before the new ones are there
            self._device, self._agreed = self._server.accept(read, self._device)
            self._at = records.Position()
        running = self._agreed.frame_hash(self._at.frame) if live.suite.sign_every_frame else None
        at, data, total, last = self._at, [], 0, False
        while not last:
            header = read(records.HEADER_BYTES)
            length, last = self._agreed.records.check_header(at, header)
            total += length
            if total > self._server.max_frame_bytes:
                raise Rejected("frame: more data than is taken")
            body = read(length + TAG_BYTES)
            data.append(self._agreed.records.open(at, header, body))
            if running is not None:
                running.update(header + body)
            at = at.following(last)
        if running is not None:
            signature = read(live.signature.row.output_bytes)
            if not self._server.verifies(self._device, signature, running.digest()):
                raise Rejected("frame: signature does not verify")
        self._at = at
        return b"".join(data)
