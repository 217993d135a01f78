"""Where a mail comes back to names the hand-over it is about, and is signed: nobody else can make one up.

`bounces+TOKEN@example.org`, as RFC 5233 and every mail server know subaddresses. The token is base32, in which capital
and small letters are the same: some servers on the way change them (RFC 5321, 2.4).
"""

from base64 import b32decode, b32encode
from hashlib import blake2s
from hmac import compare_digest
from typing import Final, NamedTuple
from uuid import UUID

from contracts import addresses

COMPLAINTS: Final = "complaints"
"""Behind the `+`: where feedback loops may send what carries one of our return addresses inside."""
SIGNATURE: Final = 10
"""Bytes of it: whoever guesses a billion a second needs some 38 million years."""
SIGNED: Final = 18
TOKEN: Final = 45
"""Letters of 28 bytes in base32."""
LONGEST: Final = 64
"""Of a local part (RFC 5321, 4.5.3.1.1)."""
PURPOSE: Final = b"returns"
"""So that what is signed here is signed for nothing else."""


class BadReturnAddress(ValueError):
    """No return addresses can be made of it; the text says why."""


class HandOver(NamedTuple):
    """The claim that what came back is about."""

    id: UUID
    try_: int


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
        self._key = blake2s(secret.encode(), person=PURPOSE).digest()

    def of(self, id: UUID, try_: int) -> str:
        """Where this hand-over comes back to."""
        return f"{self._before}{self._token(id.bytes + try_.to_bytes(2))}{self._behind}"

    def read(self, address: str) -> HandOver | None:
        """The hand-over that a return address of ours names; None: it is none, or somebody made it up."""
        token = self._inside(address)
        if token is None or len(token) != TOKEN:
            return None
        try:
            signed = b32decode(token.upper() + "===")[:SIGNED]
        except ValueError:
            return None
        if not compare_digest(self._token(signed), token):
            return None
        return HandOver(UUID(bytes=signed[:16]), int.from_bytes(signed[16:]))

    def takes_complaints(self, address: str) -> bool:
        """Whether feedback loops send their reports there."""
        return self._inside(address) == COMPLAINTS

    def _inside(self, address: str) -> str | None:
        """What stands between the `+` and the `@`, in small letters, of an address below ours."""
        written = address.lower()
        before, behind = self._before.lower(), self._behind
        ours = written.isascii() and written.startswith(before) and written.endswith(behind)
        return written[len(before) : -len(behind)] if ours else None

    def _token(self, signed: bytes) -> str:
        # A keyed hash by design (RFC 7693), in a third of the time of an HMAC: each mail has one.
        signature = blake2s(signed, digest_size=SIGNATURE, key=self._key, person=PURPOSE).digest()
        return b32encode(signed + signature).rstrip(b"=").decode().lower()
