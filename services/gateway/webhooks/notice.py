"""That a webhook is disabled is told to those who look after the house, as an alert."""

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from kit import logs
from services.gateway.handlers.alerts import Nobody
from services.gateway.outbox.writer import Unavailable
from services.gateway.rules.alerting import Alert
from services.gateway.rules.webhooks import Answer
from services.gateway.store.webhook_deliveries import Disabled

Tell = Callable[[Sequence[Alert]], Awaitable[object]]

log = logs.get(__name__)


class Notice:
    """Tells whoever `alerts.recipients` names; log and API tell it in any case."""

    def __init__(self, tell: Tell, recipients: Sequence[str]) -> None:
        self._tell = tell
        self._recipients = recipients

    async def disabled(self, one: Disabled, answer: Answer) -> None:
        """Once, also where it cannot be told: it is disabled all the same."""
        if not self._recipients:
            return
        try:
            await self._tell([alert(one, answer)])
        except (Nobody, Unavailable) as error:
            log.error("notice_not_given", webhook=str(one.id), error=type(error).__name__)


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
        fingerprint=f"webhook/{one.id}",
        starts_at=one.at,
        ends_at=None,
        labels={"alertname": "WebhookDisabled", "severity": "warning", "tenant": one.tenant, "webhook": str(one.id)},
        annotations={"summary": "a webhook is disabled", "description": text},
        source="",
    )
