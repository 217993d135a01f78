"""How an event travels: CloudEvents 1.0 in binary mode, the value plain JSON, and what outsiders may leave out (P1)."""

from collections.abc import Mapping
from functools import lru_cache
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import to_json

from contracts import events as e
from contracts import identity, outside, trace
from contracts.record import Encoded, Headers, Place, Undecodable, problems_of, sentence, text_of, what_can_be_read
from contracts.status import Lane
from contracts.topics import Topic

__all__ = ["Encoded", "Headers", "Place", "Undecodable", "decode", "encode", "problems_of", "source_header"]

OURS = "tocsin."


def encode(event: e.Event, source: str) -> Encoded:
    """The record of `event`, said by `source` (a service's name). A tombstone has no value."""
    value = None if isinstance(event, e.Tombstone) else to_json(event, exclude_none=True)
    subject = event.subject
    headers = [
        *_shared_headers(event.ce_type, source),
        ("ce_id", identity.event_id_text(subject, event.ce_type, event.n).encode()),
        ("ce_subject", str(subject).encode()),
    ]
    if (named := getattr(event, "trace", None)) is not None:
        headers += trace.to_headers(named)
    return Encoded(event.key.encode(), value, headers)


def source_header(source: str) -> bytes:
    """`ce_source` of what `source` (a service's name) says."""
    return f"/tocsin/{source}".encode()


@lru_cache(maxsize=256)
def _shared_headers(ce_type: str, source: str) -> tuple[tuple[str, bytes], ...]:
    """What all events of this type and speaker say alike."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_type", ce_type.encode()),
        ("ce_source", source_header(source)),
    )


def decode(topic: Topic, key: bytes | None, value: bytes | None, headers: Headers, place: Place) -> e.Event | None:
    """The event of a record. None: an event of ours that this version does not know yet, to be passed over.

    Raises Undecodable for what nobody can read. A request that is a JSON object never raises: what is wrong with it
    comes back as `Unacceptable` (P7).
    """
    if not value:
        return _tombstone(topic, key)
    named = dict(headers)
    ce_type = text_of(named.get("ce_type"))
    if model := topic.carries(ce_type):
        return _ours(topic, model, value, named, place)
    if ce_type.startswith(OURS):
        return None
    if topic.outside:
        return outside.event(topic, value, named, place)
    raise Undecodable(f"no event of {topic.name}: ce_type is “{ce_type}”" if ce_type else "has no header ce_type")


def _tombstone(topic: Topic, key: bytes | None) -> e.Tombstone:
    """Keys are tenant/path; an outsider's may be the path alone."""
    tenant, slash, path = text_of(key).partition("/")
    if topic.outside and not slash:
        tenant, path = "default", tenant
    if not topic.compacted or not tenant or not path:
        raise Undecodable("the value is empty")
    return e.Tombstone(tenant=tenant, path=path)


def _ours(topic: Topic, model: type[e.Event], value: bytes, headers: Mapping[str, bytes], place: Place) -> e.Event:
    try:
        event = model.model_validate_json(value)
    except ValidationError as error:
        if model is e.Requested:
            return _unacceptable(topic, value, headers, place, problems_of(error))
        raise Undecodable(sentence(error)) from None
    if model is e.Requested and headers.get("ce_subject") not in (None, str(event.subject).encode()):
        # Who goes by the headers and who goes by the value would speak of two notifications.
        return _unacceptable(topic, value, headers, place, ("id: is another one than ce_subject",))
    return event


def _unacceptable(
    topic: Topic, value: bytes, headers: Mapping[str, bytes], place: Place, problems: tuple[str, ...]
) -> e.Unacceptable:
    """A request under a header of ours that does not hold: the id is in `ce_subject`, the rest as far as it goes."""
    body = what_can_be_read(value)
    try:
        subject = UUID(text_of(headers.get("ce_subject")))
    except ValueError:
        raise Undecodable("ce_subject is not an id") from None
    return e.Unacceptable(
        id=subject,
        tenant=outside.name(body.get("tenant"), outside.TENANT, "default"),
        owner=outside.name(body.get("owner"), outside.OWNER, "source:"),
        lane=topic.lane or Lane.NORMAL,
        accepted_at=place.timestamp,
        problems=problems,
        fingerprint=identity.fingerprint(value),
        body={},
    )
