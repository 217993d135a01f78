"""Alertmanager's webhook, version 4, as its documentation has it; what it says beyond that is not read."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from contracts.request import no_nul
from services.gateway.rules.alerting import Alert, State

VERSION: Final = "4"
MOST: Final = 1000

EXAMPLE: Final[dict[str, Any]] = {
    "version": VERSION,
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "TocsinLagGrows", "severity": "critical", "group": "intake"},
            "annotations": {"summary": "intake falls behind", "description": "12000 records, and more every minute."},
            "startsAt": "2026-11-28T21:04:05.123Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example/graph",
            "fingerprint": "c0ffee0123456789",
        }
    ],
}


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("has no offset: add one (...+01:00 or ...Z)")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999") from None


Text = Annotated[str, AfterValidator(no_nul)]
Texts = Annotated[dict[Text, Text], Field(max_length=200)]
Instant = Annotated[datetime, AfterValidator(_utc)]


class Lenient(BaseModel):
    """What another program writes: fields that we do not know are its own business."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class WebhookAlert(Lenient):
    """One alert. `fingerprint` is made of its labels; `endsAt` lies in the year 1 while it fires."""

    status: State
    labels: Texts
    annotations: Texts = Field(default_factory=dict)
    startsAt: Instant
    endsAt: Instant | None = None
    generatorURL: Text = ""
    fingerprint: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]

    def alert(self) -> Alert:
        """In our words."""
        about = (self.labels, self.annotations, self.generatorURL)
        return Alert(self.status, self.fingerprint, self.startsAt, self.endsAt, *about)


class AlertmanagerWebhook(Lenient):
    """What Alertmanager posts: alerts that it has grouped. `truncatedAlerts`: how many its `max_alerts` left out."""

    version: Literal["4"]
    alerts: Annotated[tuple[WebhookAlert, ...], Field(max_length=MOST)]
    truncatedAlerts: Annotated[int, Field(ge=0)] = 0

    @field_validator("version", mode="before")
    @classmethod
    def _known_version(cls, version: Any) -> Any:
        if version != VERSION:
            raise ValueError(f"is not {VERSION}: post what Alertmanager's webhook_configs post since its release 0.6")
        return version
