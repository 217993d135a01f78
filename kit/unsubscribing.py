"""The link by which a person stops a category of mail: intake signs it, the gateway reads it, and nobody forges one."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from typing import Final, NamedTuple

PATH: Final = "/v1/unsubscribe/"

_PURPOSE: Final = b"unsubscribe email\n"
"""Signed along, so that no other signature made with the same secret is one of these."""
_SIGNATURE_BYTES: Final = 16
"""Half of the digest (RFC 2104, 5)."""
_LONGEST: Final = 2048


class Subscription(NamedTuple):
    """What a link is about: the mails of one category to one person."""

    tenant: str
    user_id: str
    category: str


class Unsubscribing:
    """`public_url` is where the gateway is reached; nobody stops a category of `transactional`.

    A link has no end: a mail is read years after it came. It is void once `secret` is another one.
    """

    def __init__(self, public_url: str, secret: str, transactional: Collection[str]) -> None:
        self._start = public_url.rstrip("/") + PATH
        self._secret = secret.encode()
        self._transactional = frozenset(transactional)

    def link(self, tenant: str, user_id: str, category: str) -> str | None:
        """Always the same one; None where the category is transactional."""
        if category in self._transactional:
            return None
        about = f"{tenant}/{user_id}/{category}".encode()
        return self._start + urlsafe_b64encode(self._signature(about) + about).rstrip(b"=").decode()

    def read(self, token: str) -> Subscription | None:
        """What stands behind the path of a link; None: we did not sign it, or the category is transactional by now."""
        if len(token) > _LONGEST:
            return None
        try:
            signed = urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
            signature, about = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
            if not hmac.compare_digest(signature, self._signature(about)):
                return None
            tenant, user_id, category = about.decode().split("/")
        except ValueError:
            return None
        return None if category in self._transactional else Subscription(tenant, user_id, category)

    def _signature(self, about: bytes) -> bytes:
        return hmac.digest(self._secret, _PURPOSE + about, "sha256")[:_SIGNATURE_BYTES]
