"""Suppressed addresses as REST shows them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import ValidationInfo, field_validator

from contracts import addresses
from contracts.request import HeaderText, Strict, header_text
from contracts.status import Channel
from services.gateway.http.problems import invalid
from services.gateway.http.shape import Shape
from services.gateway.rules import suppressing
from services.gateway.rules.suppressing import Kept
from services.gateway.rules.views import fields_of
from services.gateway.store.suppressions import Found

CHECKS: Final[Mapping[str, Callable[[str], str]]] = {"email": addresses.email, "sms": addresses.phone}


class SuppressionRequest(Strict):
    """Send nothing more to this address."""

    channel: Literal["email", "sms"]
    to: HeaderText

    @field_validator("to")
    @classmethod
    def _address(cls, text: str, info: ValidationInfo) -> str:
        check = CHECKS.get(info.data.get("channel", ""))
        return check(header_text(text)) if check else text


class SuppressedAddress(Shape):
    """An address to which nothing is sent. We keep its hash only: `to` and `user_id` are those of the notification that
    showed it, as long as that is known. `reason`: hard_bounce, stop, complaint or manual; `code` is the provider's."""

    id: str
    channel: str
    reason: str
    code: str | None = None
    created_at: datetime
    notification_id: UUID | None = None
    to: str | None = None
    user_id: str | None = None
    by: str | None = None


class SuppressionPage(Shape):
    """The newest first; `next` is the `after` of the page that follows."""

    items: tuple[SuppressedAddress, ...]
    next: str | None = None


def shown(found: Found) -> SuppressedAddress:
    """With what is still known of the notification that showed it."""
    asked = fields_of(found.request) if found.request else {}
    return of_kept(Kept.of(found.value, found.as_of), to=asked.get("to"), user_id=found.user_id)


def of_kept(kept: Kept, *, to: str | None = None, user_id: str | None = None) -> SuppressedAddress:
    """As people see it."""
    told = kept.suppression
    return SuppressedAddress(
        id=kept.id,
        channel=kept.channel,
        reason=told.reason,
        code=told.code,
        created_at=kept.created_at,
        notification_id=told.notification_id,
        to=to,
        user_id=user_id,
        by=told.by,
    )


def id_of(to: str, channel: str | None) -> str:
    """Of an address, as an admin writes it. Raises Problem 422."""
    kind = channel or ("sms" if to.strip().startswith("+") else "email")
    try:
        address = CHECKS[kind](header_text(to.strip()))
    except ValueError as error:
        raise invalid([("to", str(error))]) from None
    return suppressing.id_of(Channel(kind), address)


def cursor(found: Found) -> str:
    """Where the next page begins: when this one was heard of, and its name."""
    return f"{found.as_of.isoformat()}~{found.key.partition('/')[2]}"


def place(tenant: str, after: str | None) -> tuple[datetime, str] | None:
    """The place that a cursor names. Raises Problem 422."""
    if after is None:
        return None
    at, _, path = after.partition("~")
    try:
        heard = datetime.fromisoformat(at.replace(" ", "+"))
    except ValueError:
        heard = None
    if heard is None or heard.tzinfo is None or not path.isprintable():
        raise invalid([("after", "is the `next` of the page before")])
    return heard, f"{tenant}/{path}"
