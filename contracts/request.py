"""What anybody may ask for: the same body on REST and on Kafka, with the same checks."""

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from contracts import addresses, local_time
from contracts.identity import fingerprint
from contracts.kept import kept
from contracts.status import Channel, Lane
from contracts.wording import LINE, LOCALE, NAME

SMS_CHARACTERS = 1600
HEADER_CHARACTERS: Final = 500
NOTHING_TO_SAY: Final = "a text message needs a text: nobody carries an empty one"
HTML_BYTES = 64 * 1024
ATTACHMENT_BYTES = 512 * 1024
FILES_TOO_LARGE: Final = f"are larger than {ATTACHMENT_BYTES // 1024} KiB together: send a link to them instead"

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NAME)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=LINE)]
HeaderText = Annotated[str, StringConstraints(max_length=HEADER_CHARACTERS)]
Locale = Annotated[str, StringConstraints(max_length=35, pattern=LOCALE)]
Instant = Annotated[str, StringConstraints(min_length=1, max_length=64)]
ZoneName = Annotated[str, StringConstraints(min_length=1, max_length=64)]

NUL: Final = "holds the character NUL, which no mail, message or database can carry: leave it out"

_FORBIDDEN_IN_HEADERS = re.compile("[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
_TURNS_ROUND = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONTENT_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+\-]+/[A-Za-z0-9!#$&^_.+\-]+(; ?[A-Za-z0-9\-]+=[A-Za-z0-9.\-]+)*")


def header_text(text: str) -> str:
    """The text unchanged; ValueError when it holds something that would end or break a header line."""
    if _FORBIDDEN_IN_HEADERS.search(text):
        raise ValueError("holds a line break or control character: headers are one line of plain text")
    return text


def no_nul(text: str | None) -> str | None:
    """The text unchanged; ValueError when it holds the character NUL."""
    if text is not None and "\x00" in text:
        raise ValueError(NUL)
    return text


def html_within_size(html: str | None) -> str | None:
    """The HTML unchanged; ValueError when it is larger than HTML_BYTES."""
    if html is not None and len(html.encode()) > HTML_BYTES:
        raise ValueError(f"is larger than {HTML_BYTES // 1024} KiB: shorten it")
    return html


def plain_data(data: dict[str, Any] | None) -> dict[str, Any] | None:
    """The data unchanged; ValueError when it is nested more than 8 levels deep, or holds the character NUL."""
    _check_depth(data, 8)
    return data


class Strict(BaseModel):
    """Values that outsiders write: unknown fields are errors, nothing changes after the check."""

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(kept,))


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
        if not _CONTENT_TYPE.fullmatch(header_text(kind)) or kind.lower().startswith(("multipart/", "message/")):
            raise ValueError("is a media type such as application/pdf or text/calendar; method=REQUEST")
        return kind

    @field_validator("content")
    @classmethod
    def _base64(cls, content: str) -> str:
        try:
            b64decode(content, validate=True)
        except (Base64Error, ValueError):
            raise ValueError("is not base64 in one piece, without line breaks and with its = at the end") from None
        return content

    @property
    def size(self) -> int:
        """In bytes, decoded."""
        return len(self.content) // 4 * 3 - self.content.count("=")


class Escalation(Strict):
    """One step of acknowledge-or-escalate: when nobody has read it after so many seconds, this channel too."""

    after_seconds: Annotated[int, Field(ge=1, le=30 * 86400)]
    channel: Channel


class When(Strict):
    """An instant as a body carries it: `send_at` with an offset, or local time with `time_zone` (and `fold`)."""

    send_at: Instant
    time_zone: ZoneName | None = None
    fold: Literal[0, 1] | None = None

    @property
    def at(self) -> datetime:
        """In UTC. Raises BadTime."""
        return local_time.instant(self.send_at, self.time_zone, self.fold)


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
    send_at: Instant | None = None
    time_zone: ZoneName | None = None
    fold: Literal[0, 1] | None = None
    expires_at: Instant | None = None
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

    @field_validator("body", "html")
    @classmethod
    def _no_nul(cls, text: str | None) -> str | None:
        return no_nul(text)

    @field_validator("html")
    @classmethod
    def _html_size(cls, html: str | None) -> str | None:
        return html_within_size(html)

    @field_validator("data")
    @classmethod
    def _plain_data(cls, data: dict[str, Any] | None) -> dict[str, Any] | None:
        return plain_data(data)

    @field_validator("metadata")
    @classmethod
    def _short_values(cls, metadata: dict[str, str] | None) -> dict[str, str] | None:
        for name, value in (metadata or {}).items():
            if "\x00" in value or len(value.encode()) > 64:
                raise ValueError(f"{name}: holds at most 64 bytes, and no NUL: shorten it, or leave it out")
        return metadata

    @field_validator("reply_to")
    @classmethod
    def _reply_address(cls, text: str | None) -> str | None:
        return text if text is None else addresses.email(text)

    @field_validator("attachments")
    @classmethod
    def _attachment_size(cls, files: tuple[Attachment, ...] | None) -> tuple[Attachment, ...] | None:
        if sum(file.size for file in files or ()) > ATTACHMENT_BYTES:
            raise ValueError(FILES_TOO_LARGE)
        return files

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.contradictions:
            raise ValueError("\n".join(f"{field}: {text}" for field, text in self.contradictions))
        return self

    @kept
    def contradictions(self) -> tuple[tuple[str, str], ...]:
        """What only the fields together can tell: (field, what is wrong and what helps). Kept, as it is asked twice."""
        return tuple(_problems(self))

    @property
    def all_channels(self) -> tuple[Channel, ...]:
        """The channels asked for: one, or several that become one notification each."""
        return self.channels or ((self.channel,) if self.channel else ())

    @kept
    def planned_at(self) -> datetime | None:
        """The instant asked for by `send_at`, in UTC; None = at once."""
        return local_time.instant(self.send_at, self.time_zone, self.fold) if self.send_at else None

    @kept
    def expiry(self) -> datetime | None:
        """The instant of `expires_at`, in UTC; None = the default of the lane."""
        return local_time.instant(self.expires_at, self.time_zone, self.fold) if self.expires_at else None

    @kept
    def plain(self) -> str:
        """The fields as JSON, without those that say what is meant anyway."""
        return self.model_dump_json(exclude_defaults=True)

    @kept
    def fingerprint(self) -> str:
        """SHA-256 of the fields as received: the same key with another fingerprint is refused (P1).

        A default that is written out counts as left out, and the order of names in `data` does not count: the same
        request has the same fingerprint on whatever way it came.
        """
        if self.data is None and self.metadata is None:
            return fingerprint(self.plain.encode())
        return fingerprint(json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True).encode())


def _check_depth(value: object, left: int) -> None:
    if left < 0:
        raise ValueError("is nested more than 8 levels deep: make it flatter")
    if isinstance(value, str) and "\x00" in value:
        raise ValueError(NUL)
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("holds a number that JSON does not know (NaN, Infinity, too large): write a text, or null")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(item, left - 1)
    if isinstance(value, dict) and any("\x00" in key for key in value):
        raise ValueError(NUL)


def _problems(request: NotificationRequest) -> Iterator[tuple[str, str]]:
    channels = request.all_channels
    if (request.channel is None) == (request.channels is None) or not channels:
        yield "channel", "give channel, or channels with at least one of email, sms, inapp"
    if len(channels) > 1 and len(set(channels)) != len(channels):
        yield "channels", "names one channel twice"
    if (request.to is None) == (request.user_id is None):
        yield "to", "give either to (an address) or user_id (a person of the directory)"
    if request.to is not None:
        yield from _address_problems(request.to, channels)
    yield from _content_problems(request, channels)
    if request.send_at or request.expires_at or request.time_zone:
        yield from _time_problems(request)


def _address_problems(to: str, channels: tuple[Channel, ...]) -> Iterator[tuple[str, str]]:
    if Channel.INAPP in channels:
        yield "user_id", "the channel inapp needs user_id"
    elif len(channels) > 1:
        yield "user_id", "several channels need user_id: one address serves one channel"
    elif channels:
        try:
            (addresses.email if channels[0] is Channel.EMAIL else addresses.phone)(to)
        except addresses.BadAddress as error:
            yield "to", str(error)


def _content_problems(request: NotificationRequest, channels: tuple[Channel, ...]) -> Iterator[tuple[str, str]]:
    if request.attachments:
        yield from _file_problems(request.attachments, channels)
    if Channel.SMS in channels and request.body and len(request.body) > SMS_CHARACTERS:
        holds = f"a text message holds at most {SMS_CHARACTERS} characters, this one has {len(request.body)}"
        yield "body", f"{holds}: shorten it"
    if request.template is not None:
        return
    if Channel.SMS in channels and request.body is not None and not request.body.strip():
        yield "body", NOTHING_TO_SAY
    if request.body is None and not (request.html and channels == (Channel.EMAIL,)):
        yield "body", "give body (or html for an email), or a template"
    if Channel.EMAIL in channels and not request.subject:
        yield "subject", "an email needs a subject"


def _file_problems(files: tuple[Attachment, ...], channels: tuple[Channel, ...]) -> Iterator[tuple[str, str]]:
    """Not the files' own checks: a file that is on its way already must stay readable."""
    if Channel.EMAIL not in channels:
        yield "attachments", "only an email carries attachments"
    for place, file in enumerate(files):
        if not file.name.strip(" ."):
            yield f"attachments.{place}.name", "is a file's name, such as report.pdf"
        if _TURNS_ROUND.search(file.name):
            yield f"attachments.{place}.name", "turns the writing round, which hides what a file is: leave that out"


def _time_problems(request: NotificationRequest) -> Iterator[tuple[str, str]]:
    field = "time_zone"
    try:
        if request.time_zone:
            local_time.zone(request.time_zone)
        field = "send_at"
        planned = request.planned_at
        field = "expires_at"
        expiry = request.expiry
    except local_time.BadTime as error:
        yield field, str(error)
        return
    if planned and expiry and expiry <= planned:
        yield "expires_at", "must lie after send_at"
