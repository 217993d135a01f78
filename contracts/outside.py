"""What any program may publish: the fields of the REST body plus type, tenant, id and source, all optional (P1)."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from contracts import addresses, identity, local_time, trace
from contracts import events as e
from contracts.deadline import OutsideDeadline
from contracts.record import (
    Place,
    Undecodable,
    json_object,
    printable,
    problems_of,
    sentence,
    text_of,
    what_can_be_read,
)
from contracts.request import Label, NotificationRequest, When
from contracts.status import Lane
from contracts.topics import Topic
from contracts.wording import LINE, PART_OF_A_KEY

UNREADABLE: Final = "body: holds what no reader takes: write numbers of at most 4,300 digits and whole characters"
TENANT: Final = re.compile(r"[^/]{1,64}")
OWNER: Final = re.compile(r".{1,300}")
_OBJECT_KEY: Final = re.compile(r"[^/]{1,64}/[^/]{1,200}")

TenantName = Annotated[str, StringConstraints(max_length=64, pattern=PART_OF_A_KEY)]
SourceName = Annotated[str, StringConstraints(max_length=250, pattern=LINE)]
Key = Annotated[str, StringConstraints(max_length=300, pattern=LINE)]


class Envelope(BaseModel):
    """What a record says about itself. `id` (a text or a number) is the idempotency key; the headers `ce_id` and
    `ce_source` say the same and come first. A cancel or a move names the same `source` and `id`, or `notification_id`.
    """

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    type: Literal["request", "cancel", "move"] = "request"
    tenant: TenantName = "default"
    id: Key | None = None
    source: SourceName | None = None
    notification_id: UUID | None = None

    @property
    def owner(self) -> str:
        return f"source:{self.source or ''}"


_ENVELOPE: Final = tuple(Envelope.model_fields)


class GroupToCancel(BaseModel):
    """The members of this group that came from the same source."""

    model_config = ConfigDict(frozen=True)

    group: Label


def event(topic: Topic, value: bytes, headers: Mapping[str, bytes], place: Place) -> e.Event:
    """What this record of a stranger says: a request, a cancel, a move, or the state of an object.

    Raises Undecodable for what is no JSON object, and for an object of a directory that does not hold. Any other
    problem is said in an `Unacceptable`.
    """
    if topic.compacted:
        return _object(topic, json_object(value))
    body, problems = _read(value)
    return _Record(topic, body, value, headers, place, problems).event()


def _read(value: bytes) -> tuple[dict[str, Any], list[str]]:
    """The object; and why not, where it is one that only tells whose it is (P7)."""
    try:
        return json_object(value), []
    except Undecodable as error:
        return what_can_be_read(value), [f"{UNREADABLE} ({error})"]


def name(value: object, shape: re.Pattern[str], default: str) -> str:
    """The text if it has the shape and no control characters, else the default."""
    return value if isinstance(value, str) and _fits(value, shape) else default


def _fits(text: str, shape: re.Pattern[str]) -> bool:
    return bool(shape.fullmatch(text)) and text.isprintable()


def _object(topic: Topic, body: dict[str, Any]) -> e.Event:
    if not body.get("tenant"):
        body.pop("tenant", None)
    try:
        found = _deadline(body) if topic.events[0] is e.Deadline else topic.events[0].model_validate(body)
    except ValidationError as error:
        raise Undecodable(sentence(error)) from None
    if not _fits(found.key, _OBJECT_KEY):
        raise Undecodable("its tenant and id are no names: at most 64 and 200 characters, without “/”")
    return _checked_recipient(found) if isinstance(found, e.Recipient) else found


def _deadline(body: dict[str, Any]) -> e.Deadline:
    said = OutsideDeadline.model_validate(body)
    return said.event(tenant=said.tenant, id=said.id, owner=said.whose)


def _checked_recipient(found: e.Recipient) -> e.Recipient:
    """A person's addresses are checked before they are believed, as REST does."""
    try:
        email = addresses.email(found.email) if found.email else None
        phone = addresses.phone(found.phone) if found.phone else None
        if found.time_zone:
            local_time.zone(found.time_zone)
    except ValueError as error:
        raise Undecodable(f"{found.user_id}: {error}") from None
    return found.model_copy(update={"email": email, "phone": phone})


class _Record:
    """A request, a cancel or a move; problems are collected, so that all of them are told at once."""

    def __init__(
        self,
        topic: Topic,
        body: dict[str, Any],
        value: bytes,
        headers: Mapping[str, bytes],
        place: Place,
        problems: list[str],
    ) -> None:
        self.topic, self.body, self.value, self.place = topic, body, value, place
        said = {field: item for field in _ENVELOPE if (item := body.pop(field, None)) not in (None, "")}
        if source := printable(text_of(headers.get("ce_source"))):
            said["source"] = source
        self.ce_id = printable(text_of(headers.get("ce_id")))
        self.trace = trace.of_headers(headers)
        self.problems = problems
        self.is_of_no_type = False
        self.envelope = self._envelope(said)

    def _envelope(self, said: dict[str, Any]) -> Envelope:
        """What is wrong in it becomes a problem; the rest still tells whose request this was."""
        try:
            return Envelope.model_validate(said)
        except ValidationError as error:
            self.problems.extend(problems_of(error))
            wrong = {found["loc"][0] for found in error.errors()}
            self.is_of_no_type = "type" in wrong
            return Envelope.model_validate({field: item for field, item in said.items() if field not in wrong})

    def event(self) -> e.Event:
        if self.is_of_no_type:
            return self._unacceptable()
        match self.envelope.type:
            case "request":
                return self._request()
            case "cancel":
                return self._cancel()
            case "move":
                return self._move()

    @property
    def _record_id(self) -> UUID:
        place = self.place
        return identity.record_id(self.topic.name, place.partition, place.offset, place.timestamp, self.value)

    def _id_by(self, key: str) -> UUID:
        return identity.notification_id(self.envelope.tenant, self.envelope.owner, key)

    def _common(self) -> dict[str, Any]:
        key = self.ce_id or self.envelope.id
        return {
            "id": self._id_by(key) if key else self._record_id,
            "tenant": self.envelope.tenant,
            "owner": self.envelope.owner,
            "lane": self.topic.lane or Lane.NORMAL,
            "accepted_at": self.place.timestamp,
            "trace": self.trace,
        }

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

    def _cancel(self) -> e.Event:
        envelope, found, group = self.envelope, None, None
        if "group" in self.body and not envelope.id and not envelope.notification_id:
            group = self._group()
        else:
            found = self._meant("a cancel names notification_id, or source and id, or group")
        if self.problems:
            return self._unacceptable()
        return e.Cancel(
            tenant=envelope.tenant,
            command=self._record_id,
            id=found,
            group=group,
            owner=envelope.owner if group else None,
            accepted_at=self.place.timestamp,
        )

    def _group(self) -> str | None:
        try:
            return GroupToCancel.model_validate(self.body).group
        except ValidationError as error:
            self.problems.extend(problems_of(error))
            return None

    def _move(self) -> e.Event:
        found = self._meant("a move names notification_id, or source and id")
        at = None
        try:
            at = When.model_validate({field: self.body.get(field) for field in When.model_fields}).at
        except ValidationError as error:
            self.problems.extend(problems_of(error))
        except local_time.BadTime as error:
            self.problems.append(f"send_at: {error}")
        if self.problems or found is None or at is None:
            return self._unacceptable()
        return e.Move(
            tenant=self.envelope.tenant,
            command=self._record_id,
            id=found,
            edit=identity.milliseconds(self.place.timestamp),
            at=at,
            accepted_at=self.place.timestamp,
        )

    def _meant(self, remedy: str) -> UUID | None:
        """The notification a command is about: `notification_id`, or the one that came under this source and id."""
        if found := self.envelope.notification_id:
            return found
        if key := self.envelope.id or self.ce_id:
            return self._id_by(key)
        self.problems.append(f"notification_id: {remedy}")
        return None
