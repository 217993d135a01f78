"""How an event travels: CloudEvents 1.0 in binary mode, the value plain JSON, and what outsiders may leave out (P1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import from_json

from contracts import events as e
from contracts import identity, local_time
from contracts.request import NotificationRequest
from contracts.status import Lane
from contracts.topics import Topic

Headers = Sequence[tuple[str, bytes]]

OURS = "tocsin."
_ENVELOPE = ("type", "tenant", "id", "source", "notification_id")


class Undecodable(ValueError):
    """Nobody can read this record: it is poison (P7)."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One record as Kafka takes it."""

    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: without an id of its own, that is its name (P1)."""

    partition: int
    offset: int
    timestamp: datetime


def encode(event: e.Event, source: str) -> Encoded:
    """The record of `event`, said by `source` (a service's name). A tombstone has no value."""
    value = None if isinstance(event, e.Tombstone) else event.model_dump_json(exclude_none=True).encode()
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_type", event.ce_type.encode()),
        ("ce_source", f"/tocsin/{source}".encode()),
        ("ce_id", str(event.ce_id).encode()),
        ("ce_subject", str(event.subject).encode()),
    ]
    return Encoded(event.key.encode(), value, headers)


def decode(topic: Topic, key: bytes | None, value: bytes | None, headers: Headers, place: Place) -> e.Event | None:
    """The event of a record. None: an event of ours that this version does not know yet, to be passed over.

    Raises Undecodable for what nobody can read. An outside request that is a JSON object never raises:
    what is wrong with it comes back as `Unacceptable`.
    """
    named = dict(headers)
    if not value:
        return _tombstone(topic, key)
    ce_type = _text(named.get("ce_type"))
    if model := topic.carries(ce_type):
        return _ours(topic, model, value, named, place)
    if ce_type.startswith(OURS):
        return None
    if topic.outside:
        return _outside(topic, value, named, place)
    raise Undecodable(f"no event of {topic.name}: ce_type is “{ce_type}”" if ce_type else "has no header ce_type")


def _tombstone(topic: Topic, key: bytes | None) -> e.Tombstone:
    tenant, _, path = _text(key).partition("/")
    if not topic.compacted or not path:
        raise Undecodable("the value is empty")
    return e.Tombstone(tenant=tenant, path=path)


def _ours(topic: Topic, model: type[e.Event], value: bytes, headers: Mapping[str, bytes], place: Place) -> e.Event:
    try:
        event = model.model_validate_json(value)
    except ValidationError as error:
        if model is e.Requested:
            return _unacceptable_of_ours(topic, value, headers, place, error)
        raise Undecodable(_sentence(error)) from None
    return event


def _unacceptable_of_ours(topic: Topic, value: bytes, headers: Mapping[str, bytes], place: Place, error: ValidationError) -> e.Event:
    body = _json_object(value)
    try:
        subject = UUID(_text(headers.get("ce_subject")))
    except ValueError:
        raise Undecodable("ce_subject is not an id") from None
    owner = body.get("owner")
    return e.Unacceptable(
        id=subject,
        tenant=_name(body.get("tenant"), "default", 64),
        owner=_name(owner, "source:", 300),
        lane=topic.lane or Lane.NORMAL,
        accepted_at=place.timestamp,
        problems=problems_of(error),
        fingerprint=identity.fingerprint(value),
        body={},
    )


def _outside(topic: Topic, value: bytes, headers: Mapping[str, bytes], place: Place) -> e.Event:
    body = _json_object(value)
    if topic.compacted:
        return _outside_object(topic, body)
    return _OutsideRequest(topic, body, value, headers, place).event()


def _outside_object(topic: Topic, body: dict[str, Any]) -> e.Event:
    try:
        return topic.events[0].model_validate(body)
    except ValidationError as error:
        raise Undecodable(_sentence(error)) from None


class _OutsideRequest:
    """A record of any program: the fields of the REST body plus type, tenant, id, source, all optional."""

    def __init__(self, topic: Topic, body: dict[str, Any], value: bytes, headers: Mapping[str, bytes], place: Place) -> None:
        self.topic, self.value, self.place = topic, value, place
        self.envelope = {name: body.get(name) for name in _ENVELOPE}
        self.body = {name: item for name, item in body.items() if name not in _ENVELOPE}
        self.ce_id = _text(headers.get("ce_id"))
        self.problems: list[str] = []
        self.tenant = self._word("tenant", "default", 64)
        self.owner = "source:" + (_clean(_text(headers.get("ce_source"))) or self._word("source", "", 250))
        self.key = _clean(self.ce_id) or self._word("id", "", 300)

    def _word(self, field: str, default: str, longest: int) -> str:
        value = self.envelope[field]
        if isinstance(value, int) and field == "id":
            value = str(value)
        if value is None or (isinstance(value, str) and value == _clean(value) and len(value) <= longest and ("/" not in value or field != "tenant")):
            return value or default
        self.problems.append(f"{field}: is a text of at most {longest} characters without control characters")
        return default

    def event(self) -> e.Event:
        match self.envelope["type"]:
            case None | "request":
                return self._request()
            case "cancel":
                return self._cancel()
            case "move":
                return self._move()
            case other:
                self.problems.append(f"type: is request, cancel or move, not “{str(other)[:40]}”")
                return self._unacceptable()

    @property
    def record_id(self) -> UUID:
        place = self.place
        return identity.record_id(self.topic.name, place.partition, place.offset, place.timestamp, self.value)

    def _id(self) -> UUID:
        return identity.notification_id(self.tenant, self.owner, self.key) if self.key else self.record_id

    def _common(self) -> dict[str, Any]:
        lane = self.topic.lane or Lane.NORMAL
        return {"id": self._id(), "tenant": self.tenant, "owner": self.owner, "lane": lane, "accepted_at": self.place.timestamp}

    def _request(self) -> e.Event:
        try:
            request = NotificationRequest.model_validate(self.body)
        except ValidationError as error:
            self.problems.extend(problems_of(error))
        if self.problems:
            return self._unacceptable()
        return e.Requested(
            **self._common(), request=request, channel=request.channel, user_id=request.user_id, group=request.group
        )

    def _unacceptable(self) -> e.Unacceptable:
        return e.Unacceptable(
            **self._common(),
            problems=tuple(self.problems),
            fingerprint=identity.fingerprint(self.value),
            body=self.body,
        )

    def _named_notification(self) -> UUID | None:
        """A cancel or move names the same source and id, or notification_id."""
        if (text := self.envelope["notification_id"]) is not None:
            try:
                return UUID(str(text))
            except ValueError:
                self.problems.append("notification_id: is not an id")
                return None
        if isinstance(self.envelope["id"], str | int) and (key := self._word("id", "", 300)):
            return identity.notification_id(self.tenant, self.owner, key)
        return identity.notification_id(self.tenant, self.owner, self.key) if self.key else None

    def _cancel(self) -> e.Event:
        group = self.body.get("group")
        found = self._named_notification()
        if found is None and not (isinstance(group, str) and _clean(group) == group and group):
            self.problems.append("notification_id: a cancel names notification_id, or source and id, or group")
        if self.problems:
            return self._unacceptable()
        return e.Cancel(
            tenant=self.tenant,
            command=self.record_id,
            id=found,
            group=None if found else group,
            owner=None if found else self.owner,
            accepted_at=self.place.timestamp,
        )

    def _move(self) -> e.Event:
        found, send_at = self._named_notification(), self.body.get("send_at")
        if found is None:
            self.problems.append("notification_id: a move names notification_id, or source and id")
        try:
            if not isinstance(send_at, str):
                raise local_time.BadTime("a move needs it")
            at = local_time.instant(send_at, self.body.get("time_zone"), self.body.get("fold"))
        except local_time.BadTime as error:
            self.problems.append(f"send_at: {error}")
        if self.problems or found is None:
            return self._unacceptable()
        return e.Move(
            tenant=self.tenant,
            command=self.record_id,
            id=found,
            edit=identity.milliseconds(self.place.timestamp),
            at=at,
            accepted_at=self.place.timestamp,
        )


def _json_object(value: bytes) -> dict[str, Any]:
    try:
        body = from_json(value, allow_inf_nan=False)
    except ValueError as error:
        raise Undecodable(f"is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise Undecodable("is JSON, but not an object")
    return body


def _text(raw: bytes | None) -> str:
    try:
        return (raw or b"").decode()
    except UnicodeDecodeError:
        return ""


def _clean(text: str) -> str:
    return "".join(c for c in text if c.isprintable())


def _name(value: object, default: str, longest: int) -> str:
    return value if isinstance(value, str) and value and _clean(value) == value and len(value) <= longest else default


def problems_of(error: ValidationError) -> tuple[str, ...]:
    """What is wrong, a line each, beginning with the field: "to: is not an email address"."""
    return tuple(line for found in error.errors(include_url=False, include_context=False, include_input=False) for line in _lines(found))


def _lines(found: Any) -> list[str]:
    field = ".".join(str(part) for part in found["loc"])
    text = found["msg"].removeprefix("Value error, ")
    if not field:
        return str(text).splitlines()
    return [f"{field}: {text}"]


def _sentence(error: ValidationError) -> str:
    return "; ".join(problems_of(error))[:500]
