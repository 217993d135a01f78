"""That a webhook is disabled, and enabled again, is told to those who look after the house, as an alert."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from kit import logs
from services.gateway.rules.alerting import Alert
from services.gateway.rules.webhooks import Answer
from services.gateway.store.webhook_deliveries import Disabled
from services.gateway.store.webhooks import Webhook

Tell = Callable[[Sequence[Alert]], Awaitable[object]]

log = logs.get(__name__)


class Notice:
    """Tells whoever `alerts.recipients` names; log and API tell it in any case."""

    def __init__(self, tell: Tell, recipients: Sequence[str]) -> None:
        self._tell = tell
        self._recipients = recipients

    async def disabled(self, one: Disabled, answer: Answer) -> None:
        """Once, also where it cannot be told: it is disabled all the same."""
        await self._give(alert(one, answer))

    async def enabled(self, tenant: str, before: Webhook, now: Webhook) -> None:
        """To those who were told that it was disabled: it is well again. An admin who had disabled it told nobody."""
        if before.disabled_at and before.disabled_why != "by_admin":
            await self._give(end(tenant, before, before.disabled_at, now.changed_at))

    async def _give(self, alert: Alert) -> None:
        """Whatever keeps it from being told: what it would tell of is done, and must not look as if it were not."""
        if not self._recipients:
            return
        try:
            await self._tell([alert])
        except Exception as error:
            log.error("notice_not_given", webhook=alert.labels["webhook"], error=type(error).__name__)


def alert(one: Disabled, answer: Answer) -> Alert:
    """Each time that it is disabled is a life of its own."""
    since = f" Nothing has arrived since {one.since:%Y-%m-%d %H:%M} UTC." if one.since else ""
    text = (
        f"Nothing is posted to {urlsplit(one.url).hostname} any more: the last attempt ended with {answer.error}."
        f"{since}"
        f" Enable it again with `tocsin webhooks enable {one.id}`, then replay what has failed."
    )
    return Alert(
        state="firing",
        fingerprint=_fingerprint(one.id),
        starts_at=one.at,
        ends_at=None,
        labels=_labels(one.tenant, one.id),
        annotations={"summary": "a webhook is disabled", "description": text},
        source="",
    )


def end(tenant: str, webhook: Webhook, begun: datetime, at: datetime) -> Alert:
    """The end of that life."""
    text = (
        f"What happens is posted to {urlsplit(webhook.url).hostname} again."
        f" What failed meanwhile: POST /v1/admin/webhooks/{webhook.id}/replay."
    )
    return Alert(
        state="resolved",
        fingerprint=_fingerprint(webhook.id),
        starts_at=begun,
        ends_at=at,
        labels=_labels(tenant, webhook.id),
        annotations={"summary": "a webhook is enabled again", "description": text},
        source="",
    )


def _fingerprint(webhook: UUID) -> str:
    return f"webhook/{webhook}"


def _labels(tenant: str, webhook: UUID) -> dict[str, str]:
    return {"alertname": "WebhookDisabled", "severity": "warning", "tenant": tenant, "webhook": str(webhook)}
