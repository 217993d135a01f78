"""Where a mail comes back to names the hand-over it is about, and is signed: nobody else can make one up.

`bounces+TOKEN@example.org`, as RFC 5233 and every mail server know subaddresses. The token is base32, in which capital
and small letters are the same: some servers on the way change them (RFC 5321, 2.4). The key changes every few days, so
that no address is good for ever: a day is `date.toordinal()`, in UTC.
"""

from base64 import b32decode, b32encode
from collections.abc import Iterable
from hashlib import blake2s
from hmac import compare_digest
from typing import Final, NamedTuple
from uuid import UUID

from contracts import addresses

COMPLAINTS: Final = "complaints"
"""Behind the `+`: where feedback loops may send what carries one of our return addresses inside."""
SIGNATURE: Final = 8
"""Bytes of it: whoever guesses a billion a second needs some 300 years, and a key lasts a month."""
SIGNED: Final = 20
TO_WHOM: Final = 2
"""Bytes that tell whom it was sent to: enough to tell him from somebody whom he forwards his mail to."""
TOKEN: Final = 45
"""Letters of 28 bytes in base32."""
LONGEST: Final = 64
"""Of a local part (RFC 5321, 4.5.3.1.1)."""
PURPOSE: Final = b"returns"
"""So that what is signed here is signed for nothing else."""


KEY_DAYS: Final = 5
LAPSES_DAYS: Final = 30
"""So long claims are kept (P8): of what comes later nobody knows any more. A key's last day is as good as its first."""
KNOWN_DAYS: Final = 120
"""So long one that has lapsed is told from one that somebody made up."""


class BadReturnAddress(ValueError):
    """No return addresses can be made of it; the text says why."""


class Origin(NamedTuple):
    """The claim that what came back is about, and a trace of the address that it went to."""

    id: UUID
    try_: int
    to_whom: bytes

    def went_to(self, address: str) -> bool:
        """Whether it was sent to this very address (its domain in ASCII), and not on from there to another one."""
        return _to_whom(address) == self.to_whom


class ReturnAddress:
    """Makes and reads the return addresses below one address, such as bounces@example.org."""

    def __init__(self, address: str, secret: str) -> None:
        """Raises BadReturnAddress."""
        try:
            local, _, domain = addresses.email(address).rpartition("@")
        except ValueError as error:
            raise BadReturnAddress(str(error)) from error
        if not address.isascii() or "+" in local:
            raise BadReturnAddress("has letters beyond ASCII or a +: take a plain address, such as bounces@example.org")
        if len(local) + 1 + TOKEN > LONGEST:
            most = LONGEST - 1 - TOKEN
            raise BadReturnAddress(
                f"has more than {most} characters before its @, which leaves no room for a signature"
            )
        self._before, self._behind = f"{local}+", f"@{domain}"
        self._secret = secret.encode()
        self._keys: dict[int, bytes] = {}

    def of(self, id: UUID, try_: int, recipient: str, day: int) -> str:
        """Where this hand-over to `recipient` comes back to."""
        token = self._token(id.bytes + try_.to_bytes(2) + _to_whom(recipient), day // KEY_DAYS)
        return f"{self._before}{token}{self._behind}"

    def read(self, address: str, day: int) -> Origin | None:
        """The hand-over that a return address of ours names; None: it is none, has lapsed, or somebody made it up."""
        # Somebody's clock may be ahead of ours.
        return self._read(address, range(day // KEY_DAYS + 1, (day - LAPSES_DAYS) // KEY_DAYS - 1, -1))

    def has_lapsed(self, address: str, day: int) -> bool:
        """Whether we have signed it, some months ago at most, and that is too long ago."""
        past = range((day - LAPSES_DAYS) // KEY_DAYS - 1, (day - KNOWN_DAYS) // KEY_DAYS - 1, -1)
        return self._read(address, past) is not None

    def _read(self, address: str, periods: Iterable[int]) -> Origin | None:
        token = self._inside(address)
        if token is None or len(token) != TOKEN:
            return None
        try:
            signed = b32decode(token.upper() + "===")[:SIGNED]
        except ValueError:
            return None
        if not any(compare_digest(self._token(signed, period), token) for period in periods):
            return None
        return Origin(UUID(bytes=signed[:16]), int.from_bytes(signed[16:18]), signed[18:])

    def takes_complaints(self, address: str) -> bool:
        """Whether feedback loops send their reports there."""
        return self._inside(address) == COMPLAINTS

    def _inside(self, address: str) -> str | None:
        """What stands between the `+` and the `@`, in small letters, of an address below ours."""
        written = address.lower()
        before, behind = self._before.lower(), self._behind
        ours = written.isascii() and written.startswith(before) and written.endswith(behind)
        return written[len(before) : -len(behind)] if ours else None

    def _token(self, signed: bytes, period: int) -> str:
        # A keyed hash by design (RFC 7693), in a third of the time of an HMAC: each mail has one.
        key = self._keys.get(period) or self._new_key(period)
        signature = blake2s(signed, digest_size=SIGNATURE, key=key, person=PURPOSE).digest()
        return b32encode(signed + signature).rstrip(b"=").decode().lower()

    def _new_key(self, period: int) -> bytes:
        if len(self._keys) > KNOWN_DAYS:
            self._keys.clear()
        key = self._keys[period] = blake2s(self._secret, person=PURPOSE, salt=period.to_bytes(4)).digest()
        return key


def _to_whom(address: str) -> bytes:
    return blake2s(address.lower().encode("utf-8", "replace"), digest_size=TO_WHOM, person=PURPOSE).digest()
