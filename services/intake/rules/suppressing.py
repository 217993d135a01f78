"""Nothing is sent to an address that is dead, has said STOP or has complained (P3.10)."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from contracts import addresses
from contracts import events as e
from contracts.identity import child_id
from contracts.request import header_text
from contracts.status import Channel
from contracts.suppression import SUPPRESSED, WHAT, Suppression, name_of, told
from services.intake.rules.row import Frozen, Row

REACHED: Final = (Channel.EMAIL, Channel.SMS)
"""The channels that have addresses."""

Suppressed = tuple[str, str]
"""A tenant, and the name of a suppression."""

_CODES: Final = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b"), re.compile(r"\b\d{3,5}\b")
"""An enhanced status code (RFC 3463), else the first number that can be a code."""


class Standing(NamedTuple):
    """What the directory says of one: `suppression` None where it was lifted; `as_of` by Kafka's clock."""

    suppression: Suppression | None
    as_of: datetime


def suppression_name(address: str) -> str | None:
    """Of an address as somebody wrote it; None where it is none."""
    try:
        if address.startswith("+"):
            return name_of(Channel.SMS, addresses.phone(header_text(address)))
        return name_of(Channel.EMAIL, addresses.email(header_text(address)))
    except ValueError:
        return None


def met(row: Row, frozen: Frozen, known: Mapping[Suppressed, Suppression], time_zone: str) -> tuple[str, str] | None:
    """The reason and the sentence with which `row` ends, where its address is suppressed; no category is exempt."""
    if not known or row.channel not in REACHED or frozen.to is None:
        return None
    found = known.get((row.tenant, name_of(row.channel, frozen.to)))
    return (SUPPRESSED, told(found, row.accepted_at, time_zone)) if found else None


def place_of(row: Row) -> Suppressed | None:
    """Where the suppression of the address stands that `row` was sent to; None: it is not known any more."""
    if row.channel not in REACHED or row.frozen is None or row.frozen.to is None:
        return None
    return row.tenant, name_of(row.channel, row.frozen.to)


def following(
    row: Row, event: e.Taken | e.Failed, standing: Mapping[Suppressed, Standing], heard: datetime
) -> e.Setting | None:
    """What is to be said where `event` says that nothing shall be sent to that address any more.

    None where it is suppressed already, or was lifted since: a repeat of the event must not undo that.
    """
    place, happened = place_of(row), event.at if isinstance(event, e.Taken) else None
    if place is None or event.suppress is None:
        return None
    known = standing.get(place)
    if known and (known.suppression or known.as_of >= (happened or row.since)):
        return None
    found = Suppression(reason=event.suppress, code=_code(event.detail), at=happened or heard, notification_id=row.id)
    return e.Setting(
        tenant=row.tenant,
        command=child_id(row.id, f"{SUPPRESSED}/{event.n}"),
        what=WHAT,
        id=place[1],
        value=found.model_dump(mode="json", exclude_none=True),
    )


def _code(detail: str | None) -> str | None:
    found = (code.search(detail or "") for code in _CODES)
    return next((match[0] for match in found if match), None)
