"""Webhooks as REST takes and shows them."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import Field

from contracts.request import Label, Strict
from contracts.status import Channel
from services.gateway.http.shape import Shape
from services.gateway.rules import webhooks as rules
from services.gateway.rules.reaching import LONGEST_URL
from services.gateway.rules.webhooks import EventName
from services.gateway.store.webhooks import Webhook

EXAMPLE: Final = {
    "url": "https://example.org/tocsin",
    "events": ["notification.sent", "notification.failed"],
    "description": "orders",
}
State = Literal["pending", "delivered", "failed", "forgotten"]


class WebhookRequest(Strict):
    """Where what is posted; without `events`, all that ends a notification, and that it was read; without `channels`,
    on all of them."""

    url: Annotated[str, Field(min_length=1, max_length=LONGEST_URL)]
    events: Annotated[tuple[EventName, ...], Field(min_length=1, max_length=len(rules.EVENTS))] = rules.USUAL
    channels: Annotated[tuple[Channel, ...] | None, Field(min_length=1, max_length=len(Channel))] = None
    description: Label | None = None
    enabled: bool = True


class WebhookShown(Shape):
    """A webhook. `disabled_why`: `by_admin`, `gone` (it answered 410) or `failing` (nothing but failures for five
    days); `failing_since`: nothing has arrived since; `old_secret_until`: so long the secret before signs as well."""

    id: UUID
    url: str
    events: tuple[str, ...]
    channels: tuple[str, ...] | None = None
    description: str | None = None
    enabled: bool
    version: int
    disabled_at: datetime | None = None
    disabled_why: str | None = None
    failing_since: datetime | None = None
    old_secret_until: datetime | None = None
    created_at: datetime
    created_by: str
    changed_at: datetime

    @classmethod
    def of(cls, webhook: Webhook, **more: Any) -> Self:
        return cls(**{name: getattr(webhook, name) for name in WebhookShown.model_fields}, **more)


class NewWebhook(WebhookShown):
    """The only time that its secret is shown."""

    secret: str

    @classmethod
    def with_secret(cls, webhook: Webhook, secret: bytes) -> Self:
        return cls.of(webhook, secret=rules.shown_secret(secret))


class WebhookPage(Shape):
    """The newest first."""

    items: tuple[WebhookShown, ...]
    next: str | None = None


class WebhookDelivery(Shape):
    """A delivery, and what its newest attempt came to. `id` is what the receiver gets as `webhook-id`; `error` a word
    (`timeout`, `address_refused`, `status_500` ...), `answer` the first characters of the answer."""

    id: UUID
    event: str
    notification_id: UUID | None = None
    state: State
    attempts: int
    next_at: datetime | None = None
    tried_at: datetime | None = None
    status: int | None = None
    error: str | None = None
    duration_ms: int | None = None
    answer: str | None = None


class WebhookDeliveryPage(Shape):
    """The newest first."""

    items: tuple[WebhookDelivery, ...]
    next: str | None = None


class WebhookReplayRequest(Strict):
    """One delivery, whatever came of it, or all that were made `since` then and have failed."""

    delivery_id: UUID | None = None
    since: datetime | None = None


class WebhookReplayed(Shape):
    """How many are posted again."""

    replayed: int
