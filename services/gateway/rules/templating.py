"""Templates as the gateway looks at them: which version is in force, and what it would send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

from pydantic_core import from_json

from contracts import events as e
from contracts.request import SMS_CHARACTERS, header_text
from contracts.status import Channel
from contracts.template import WHAT, TemplateRequest, TextsRequest, version_name
from kit.rendering import Rendered, Template, Unrenderable, render
from services.gateway.rules.trust import Caller

MADE: Final = ("created_at", "created_by")


@dataclass(frozen=True, slots=True)
class Edition:
    """One version of a template; `value` is what intake renders by, and by whom and when it was made."""

    name: str
    number: int
    value: Mapping[str, Any]

    @classmethod
    def of(cls, name: str, number: int, event: str) -> Self:
        """Out of the setting's event as JSON."""
        return cls(name, number, from_json(event).get("value") or {})

    @property
    def template(self) -> Template:
        """Raises Unrenderable."""
        return Template.of(self.value)

    @property
    def asked(self) -> dict[str, Any]:
        """What the admin wrote, without what was made of it."""
        own = {name: self.value[name] for name in TemplateRequest.model_fields if self.value.get(name)}
        if locales := own.get("locales"):
            own["locales"] = {locale: _written(texts) for locale, texts in locales.items()}
        return own


def _written(texts: Mapping[str, Any]) -> dict[str, Any]:
    return {part: texts[part] for part in TextsRequest.model_fields if texts.get(part) is not None}


def key(tenant: str, name: str) -> str:
    """Its key in the directory."""
    return f"{tenant}/{WHAT}/{name}"


def in_force(event: str | None) -> int:
    """The number of the version that a name stands for; 0 when it stands for none."""
    return int((from_json(event).get("value") or {}).get("current") or 0) if event else 0


def may_read(caller: Caller) -> bool:
    """Everybody knows the names; the texts are for those who write and those who send."""
    return caller.role != "user"


def stored(asked: TemplateRequest, plain: Mapping[str, str], caller: Caller, now: datetime) -> dict[str, Any]:
    """The value of a version: `plain` are the texts that were made, by the place of their language."""
    value = asked.model_dump(mode="json", exclude_none=True)
    for place, text in plain.items():
        texts = value["locales"][place.split(".")[1]] if place else value
        texts["plain"] = text
    return value | {"created_at": e.named(now), "created_by": caller.sub}


def settings(
    tenant: str, name: str, number: int, value: Mapping[str, Any], command: UUID
) -> tuple[e.Setting, e.Setting]:
    """The events of a change, to be said in this order: the texts of the version, and that it is in force."""
    texts = e.Setting(
        tenant=tenant, what=WHAT, id=version_name(name, number), version=number, command=command, value=dict(value)
    )
    force = e.Setting(tenant=tenant, what=WHAT, id=name, version=number, command=command, value={"current": number})
    return texts, force


def tombstones(tenant: str, name: str, numbers: Sequence[int]) -> list[e.Tombstone]:
    """The events that end it: first the name, then its versions, so that nobody is sent to what is gone."""
    return [
        e.Tombstone(tenant=tenant, path=f"{WHAT}/{one}") for one in (name, *(version_name(name, n) for n in numbers))
    ]


def tried(template: Template, channel: Channel, locale: str | None, data: Mapping[str, Any]) -> Rendered:
    """What would be sent. Raises Unrenderable, also for what intake rejects since no sender could send it."""
    made = render(template, channel, locale, data)
    if made.text is None and made.html is None:
        raise Unrenderable("invalid", f"channel: this template says nothing by {channel}")
    if channel is Channel.EMAIL and not made.subject:
        raise Unrenderable("invalid", "subject: an email needs one; without it each notification has to bring its own")
    try:
        header_text(made.subject or "")
    except ValueError as error:
        raise Unrenderable("invalid", f"subject: {error}") from None
    if channel is Channel.SMS and (length := len(made.text or "")) > SMS_CHARACTERS:
        raise Unrenderable("too_large", f"sms: a text message holds {SMS_CHARACTERS} characters, this one has {length}")
    return made
