"""What anybody may ask for: the same body on REST and on Kafka, with the same checks."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from contracts import addresses, local_time
from contracts.identity import fingerprint
from contracts.status import Channel, Lane

SMS_CHARACTERS = 1600
HTML_BYTES = 64 * 1024
ATTACHMENT_BYTES = 512 * 1024

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:@\-]+$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]
HeaderText = Annotated[str, StringConstraints(max_length=500)]
Locale = Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$")]

_FORBIDDEN_IN_HEADERS = re.compile("[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
_CONTENT_TYPE = re.compile(r"^[A-Za-z0-9!#$&^_.+\-]+/[A-Za-z0-9!#$&^_.+\-]+(; ?[A-Za-z0-9\-]+=[A-Za-z0-9.\-]+)*$")


def header_text(text: str) -> str:
    """The text unchanged; ValueError when it holds something that would end or break a header line."""
    if _FORBIDDEN_IN_HEADERS.search(text):
        raise ValueError("holds a line break or control character: headers are one line of plain text")
    return text


class Strict(BaseModel):
    """Values that outsiders write: unknown fields are errors, nothing changes after the check."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Attachment(Strict):
    """One file of an email; `content` is base64."""

    name: HeaderText
    content_type: HeaderText
    content: str

    @field_validator("name")
    @classmethod
    def _safe_name(cls, name: str) -> str:
        if not name or "/" in name or "\\" in name:
            raise ValueError("is a file's name without a folder")
        return header_text(name)

    @field_validator("content_type")
    @classmethod
    def _safe_type(cls, kind: str) -> str:
        if not _CONTENT_TYPE.match(header_text(kind)) or kind.startswith(("multipart/", "message/")):
            raise ValueError("is a media type such as application/pdf or text/calendar; method=REQUEST")
        return kind

    @field_validator("content")
    @classmethod
    def _base64(cls, content: str) -> str:
        try:
            b64decode(content, validate=True)
        except (Base64Error, ValueError):
            raise ValueError("is not base64") from None
        return content


class Escalation(Strict):
    """One step of acknowledge-or-escalate: when nobody has read it after so many seconds, this channel too."""

    after_seconds: Annotated[int, Field(ge=1, le=30 * 86400)]
    channel: Channel


class NotificationRequest(Strict):
    """One notification that somebody asks for.

    Either `channel` or `channels`; either `to` (an email address or an E.164 number) or `user_id` (a person of the
    directory). Content is `subject`, `body`, `html`, or a `template` with `data`.
    """

    channel: Channel | None = None
    channels: Annotated[tuple[Channel, ...], Field(max_length=3)] | None = None
    to: Annotated[str, StringConstraints(min_length=1, max_length=320)] | None = None
    user_id: Name | None = None
    subject: HeaderText | None = None
    body: Annotated[str, StringConstraints(max_length=256 * 1024)] | None = None
    html: str | None = None
    template: Name | None = None
    data: dict[str, Any] | None = None
    locale: Locale | None = None
    kind: Name | None = None
    category: Name | None = None
    lane: Lane = Lane.NORMAL
    send_at: Annotated[str, StringConstraints(max_length=64)] | None = None
    time_zone: Annotated[str, StringConstraints(max_length=64)] | None = None
    fold: Literal[0, 1] | None = None
    expires_at: Annotated[str, StringConstraints(max_length=64)] | None = None
    group: Label | None = None
    collapse_key: Label | None = None
    reply_to: HeaderText | None = None
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=10)] | None = None
    escalate: Annotated[tuple[Escalation, ...], Field(max_length=5)] | None = None
    metadata: Annotated[dict[Name, str], Field(max_length=8)] | None = None

    @field_validator("subject", "reply_to")
    @classmethod
    def _one_line(cls, text: str | None) -> str | None:
        return text if text is None else header_text(text)

    @field_validator("body", "html", "group", "collapse_key")
    @classmethod
    def _no_nul(cls, text: str | None) -> str | None:
        if text is not None and "\x00" in text:
            raise ValueError("holds the character NUL, which no mail, message or database can carry")
        return text

    @field_validator("html")
    @classmethod
    def _html_size(cls, html: str | None) -> str | None:
        if html is not None and len(html.encode()) > HTML_BYTES:
            raise ValueError(f"is larger than {HTML_BYTES // 1024} KiB")
        return html

    @field_validator("data")
    @classmethod
    def _plain_data(cls, data: dict[str, Any] | None) -> dict[str, Any] | None:
        _check_depth(data, 8)
        return data

    @field_validator("metadata")
    @classmethod
    def _short_values(cls, metadata: dict[str, str] | None) -> dict[str, str] | None:
        for name, value in (metadata or {}).items():
            if "\x00" in value or len(value.encode()) > 64:
                raise ValueError(f"{name}: at most 64 bytes, without NUL")
        return metadata

    @field_validator("reply_to")
    @classmethod
    def _reply_address(cls, text: str | None) -> str | None:
        return text if text is None else addresses.email(text)

    @field_validator("attachments")
    @classmethod
    def _attachment_size(cls, files: tuple[Attachment, ...] | None) -> tuple[Attachment, ...] | None:
        if sum(len(file.content) * 3 // 4 for file in files or ()) > ATTACHMENT_BYTES:
            raise ValueError(f"are larger than {ATTACHMENT_BYTES // 1024} KiB together")
        return files

    @model_validator(mode="after")
    def _whole(self) -> Self:
        problems = list(_problems(self))
        if problems:
            raise ValueError("\n".join(f"{field}: {text}" for field, text in problems))
        return self

    @property
    def all_channels(self) -> tuple[Channel, ...]:
        """The channels asked for: one, or several that become one notification each."""
        return self.channels or ((self.channel,) if self.channel else ())

    @cached_property
    def planned_at(self) -> datetime | None:
        """The instant asked for by `send_at`, in UTC; None = at once."""
        return local_time.instant(self.send_at, self.time_zone, self.fold) if self.send_at else None

    @cached_property
    def expiry(self) -> datetime | None:
        """The instant of `expires_at`, in UTC; None = the default of the lane."""
        return local_time.instant(self.expires_at, self.time_zone, self.fold) if self.expires_at else None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the fields as received: the same key with another fingerprint is refused (P1)."""
        return fingerprint(self.model_dump_json(exclude_unset=True).encode())


def _check_depth(value: object, left: int) -> None:
    if left < 0:
        raise ValueError("is nested more than 8 levels deep")
    if isinstance(value, str) and "\x00" in value:
        raise ValueError("holds the character NUL")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(item, left - 1)
    if isinstance(value, dict) and any("\x00" in key for key in value):
        raise ValueError("holds the character NUL")


def _problems(request: NotificationRequest) -> Any:
    """What only the fields together can tell: (field, what is wrong and what helps)."""
    channels = request.all_channels
    if (request.channel is None) == (request.channels is None) or not channels:
        yield "channel", "give channel, or channels with at least one of email, sms, inapp"
    if len(set(channels)) != len(channels):
        yield "channels", "names one channel twice"
    if (request.to is None) == (request.user_id is None):
        yield "to", "give either to (an address) or user_id (a person of the directory)"
    yield from _address_problems(request, channels)
    yield from _content_problems(request, channels)
    yield from _time_problems(request)


def _address_problems(request: NotificationRequest, channels: tuple[Channel, ...]) -> Any:
    if request.to is None:
        return
    if Channel.INAPP in channels:
        yield "user_id", "the channel inapp needs user_id"
    elif len(channels) > 1:
        yield "user_id", "several channels need user_id: one address serves one channel"
    for channel in channels:
        check = {Channel.EMAIL: addresses.email, Channel.SMS: addresses.phone}.get(channel)
        try:
            check(header_text(request.to)) if check else None
        except ValueError as error:
            yield "to", str(error)


def _content_problems(request: NotificationRequest, channels: tuple[Channel, ...]) -> Any:
    if request.template is None and request.body is None and not (request.html and Channel.EMAIL in channels):
        yield "body", "give body (or html for an email), or a template"
    if request.template is None and Channel.EMAIL in channels and not request.subject:
        yield "subject", "an email needs a subject"
    if Channel.SMS in channels and request.body and len(request.body) > SMS_CHARACTERS:
        yield "body", f"a text message holds at most {SMS_CHARACTERS} characters, this one has {len(request.body)}"
    if request.attachments and Channel.EMAIL not in channels:
        yield "attachments", "only an email carries attachments"


def _time_problems(request: NotificationRequest) -> Any:
    for field in ("send_at", "expires_at"):
        try:
            _ = request.planned_at if field == "send_at" else request.expiry
        except local_time.BadTime as error:
            yield field, str(error)
            return
    if request.planned_at and request.expiry and request.expiry <= request.planned_at:
        yield "expires_at", "must lie after send_at"
    if request.time_zone:
        try:
            local_time.zone(request.time_zone)
        except local_time.BadTime as error:
            yield "time_zone", str(error)
