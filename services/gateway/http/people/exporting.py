"""All that is kept about a person as one document, written while it is read: it may not fit into memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json, to_json

from contracts import topics
from contracts.erasure import Forget
from contracts.preferences import SUBJECTS
from kit.archive import searching as archive
from kit.postgres import Connection
from kit.postgres.clocks import clock_timestamp
from services.gateway.http.desk import Desk
from services.gateway.http.notifications import looking
from services.gateway.http.people.erasing import Erasure, hashes_of
from services.gateway.rules import people as rules
from services.gateway.rules.recurring import Kept
from services.gateway.store import deadlines, directory, people, reading

PAGE: Final = 200


async def exported(desk: Desk, tenant: str, user_id: str, addresses: Sequence[str]) -> AsyncIterator[bytes]:
    """The parts of the document. What can fail before its beginning fails here."""
    async with desk.front.transaction() as connection:
        hashes = await hashes_of(connection, Erasure(tenant, user_id, addresses))
        who = Forget(tenant=tenant, user_id=user_id, address_hashes=hashes, through=await clock_timestamp(connection))
        head = await _head(connection, who)
        places = await people.notifications_of(connection, who)
    head["archived"], head["damaged"] = await asyncio.to_thread(archive.about, desk.settings.archive_dir, who)
    return _parts(desk, tenant, head, sorted(places, reverse=True))


async def _parts(desk: Desk, tenant: str, head: dict[str, Any], places: Sequence[UUID]) -> AsyncIterator[bytes]:
    yield to_json(head)[:-1] + b',"notifications":['
    for begin in range(0, len(places), PAGE):
        async with desk.front.connection() as connection:
            rows = await reading.at(connection, tenant, places[begin : begin + PAGE])
            shown = await looking.shown(connection, rows)
        texts = (one.model_dump_json(exclude_none=True) for one in shown)
        yield (("," if begin else "") + ",".join(texts)).encode()
    yield b"]}"


async def _head(connection: Connection, who: Forget) -> dict[str, Any]:
    """Everything but the notifications."""
    person = f"{who.tenant}/{who.user_id}"
    entry = await directory.get(connection, topics.RECIPIENTS.name, person)
    wanted = await directory.several(connection, topics.PREFERENCES.name, [f"{person}/{one}" for one in SUBJECTS])
    kept = map(Kept.of, await people.schedules(connection, who.tenant))
    return {
        "user_id": who.user_id,
        "recipient": from_json(entry.value) if entry and entry.value else None,
        "preferences": {one.key.rpartition("/")[2]: from_json(one.value)["value"] for one in wanted if one.value},
        "deadlines": await deadlines.assigned(connection, who.tenant, who.user_id),
        "schedules": [
            {"id": one.id} | one.schedule.model_dump(mode="json", exclude_none=True)
            for one in kept
            if rules.names(one.schedule, who.user_id, who.address_hashes)
        ],
        "inbox": await people.inbox(connection, who),
    }
