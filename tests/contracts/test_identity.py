"""P1: the same thing said twice has the same name."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from contracts import identity

WORDS = st.text(alphabet=st.characters(codec="utf-8"), max_size=20)


def test_p1_an_id_is_made_of_tenant_owner_and_key() -> None:
    """The value itself is pinned: another one would send everything twice after an upgrade."""
    id = identity.notification_id("default", "source:/shop", "order-77")
    assert id == UUID("a618d995-7501-5f30-987c-c157ec99e0db")


@given(WORDS, WORDS, WORDS, WORDS)
def test_p1_other_words_are_another_id(tenant: str, name: str, key: str, other: str) -> None:
    id = identity.notification_id(tenant, f"source:{name}", key)
    assert id != identity.notification_id(tenant, f"user:{name}", key)
    assert (id == identity.notification_id(tenant, f"source:{name}", other)) == (key == other)
    assert (id == identity.notification_id(tenant, f"source:{other}", key)) == (name == other)


@given(WORDS, WORDS, WORDS)
def test_p1_an_id_is_the_uuid5_of_compact_json(tenant: str, name: str, key: str) -> None:
    """As `uuid.uuid5` and `json.dumps` write it: any language can compute it."""
    text = json.dumps([tenant, "source", name, key], ensure_ascii=False, separators=(",", ":"))
    assert identity.notification_id(tenant, f"source:{name}", key) == uuid.uuid5(identity.NAMESPACE, text)


@given(st.uuids(), WORDS, WORDS)
def test_p1_the_text_of_an_event_s_id_is_its_id(subject: UUID, kind: str, n: str) -> None:
    assert identity.event_id_text(subject, kind, n) == str(identity.event_id(subject, kind, n))


def test_p1_words_do_not_run_together() -> None:
    assert identity.notification_id("a", "user:b", "c") != identity.notification_id("a", "user:b:c", "")
    assert identity.group_id("a", "b") != identity.object_id("a", "recipient", "b")


def test_p1_a_record_without_id_is_named_by_its_place_and_bytes() -> None:
    at = datetime(2027, 3, 1, tzinfo=UTC)
    first = ("notifications.requested", 3, 1187, at, b"{}")
    assert identity.record_id(*first) == identity.record_id(*first)
    for position, other in enumerate(("notifications.requested.bulk", 4, 1188, at + timedelta(seconds=1), b"{ }")):
        changed = [*first]
        changed[position] = other
        assert identity.record_id(*changed) != identity.record_id(*first), other  # type: ignore[arg-type]


def test_a_uuid7_is_ordered_by_time() -> None:
    early, late = identity.uuid7(1_800_000_000_000, b"\xff" * 10), identity.uuid7(1_800_000_000_001, b"\0" * 10)
    assert early < late
    assert {early.version, late.version} == {7}
    assert early.variant == UUID(int=0x8 << 60).variant


@given(st.datetimes(timezones=st.just(UTC)))
def test_milliseconds_are_exact(instant: datetime) -> None:
    whole = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=identity.milliseconds(instant))
    assert timedelta(0) <= instant - whole < timedelta(milliseconds=1)
