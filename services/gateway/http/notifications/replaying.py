"""Sending again what has failed: the next replay of each, accepted like everything else that is asked for (P6.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from uuid import UUID

from contracts.status import Status
from contracts.topics import MESSAGE_BYTES
from kit.postgres import Connection
from services.gateway.http.desk import Desk
from services.gateway.http.notifications import shapes
from services.gateway.http.problems import Problem, unavailable
from services.gateway.outbox.writer import CannotAccept
from services.gateway.rules import replaying
from services.gateway.rules.asked import Acceptance, Asked
from services.gateway.rules.replaying import CannotReplay, Family
from services.gateway.rules.stored import Stored
from services.gateway.store import reading, searching
from services.gateway.store.searching import Filter, Reader

TOO_LARGE: Final = "written anew it does not fit into a record of Kafka: shorten it, or send a link instead"


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one: the replay `id` of `root`, or `why` there is none."""

    asked: UUID
    root: UUID
    id: UUID
    status: Status
    first: bool = False
    why: str | None = None


async def replay_one(desk: Desk, row: Stored) -> Done:
    """The replay of this one, or the one that there is already. Raises Problem 409, 503."""
    if not replaying.has_failed(row):
        failed = ", ".join(sorted(replaying.FAILED))
        raise _conflict("not_failed", f"it is {shapes.STATUS[row.rank]}: what is {failed} can be replayed")
    async with desk.front.connection() as connection:
        [family] = await _families(connection, [row])
    if not replaying.has_failed(family.newest):
        return _there(row, family)
    [done] = await _replay(desk, [(row, family)])
    if done.why is not None:
        raise _conflict("not_replayable", done.why)
    return done


async def replay_all(desk: Desk, tenant: str, narrowed: Filter, most: int) -> tuple[list[Done], str | None]:
    """Replays all that the filter names and whose newest replay has failed, too, at most so many; and where to go on.
    Raises Problem 503."""
    async with desk.front.connection() as connection:
        rows = await searching.page(connection, Reader(tenant), narrowed, most + 1)
        families = await _families(connection, rows[:most])
    # Of a family only the newest: the others have been replayed already.
    last = [(row, family) for row, family in zip(rows, families, strict=False) if row.id == family.newest.id]
    return await _replay(desk, last), str(rows[most - 1].place) if len(rows) > most else None


async def _families(connection: Connection, rows: Sequence[Stored]) -> list[Family]:
    """The family of each of these rows."""
    roots = {row.id: row for row in rows if row.replay_of is None}
    if elsewhere := {row.replay_of for row in rows if row.replay_of} - roots.keys():
        roots |= await reading.several(connection, elsewhere)
    replays = await reading.replays(connection, list(roots))
    # A first one that was deleted meanwhile leaves its replay to itself.
    found = [roots.get(row.replay_of or row.id, row) for row in rows]
    return [Family(root, replays.get(root.id, ())) for root in found]


async def _replay(desk: Desk, those: Sequence[tuple[Stored, Family]]) -> list[Done]:
    """Asks for the next replay of each. Raises Problem 503, when some of them may have been asked for: then the same
    call says so."""
    async with desk.front.connection() as connection:
        files = await reading.files(connection, [id for _, family in those for id in _with_files(family.newest)])
    asked: list[tuple[Stored, Asked]] = []
    done: list[Done] = []
    for row, family in those:
        try:
            asked.append((row, _asked(family, files)))
        except CannotReplay as error:
            done.append(Done(row.id, family.root.id, row.id, shapes.STATUS[row.rank], why=str(error)))
    try:
        results = await desk.writer.accept([one for _, one in asked]) if asked else []
    except CannotAccept as error:
        raise unavailable(f"accepting ({error})") from None
    return done + [_done(row, one, result) for (row, one), result in zip(asked, results, strict=True)]


def _asked(family: Family, files: dict[UUID, str]) -> Asked:
    kept = next((files[id] for id in _with_files(family.newest) if id in files), None)
    asked = replaying.replay(family, kept)
    if asked.weight > MESSAGE_BYTES:
        raise CannotReplay(TOO_LARGE)
    return asked


def _with_files(row: Stored) -> list[UUID]:
    """Whose attachments are its own: those of a channel lie with its parent."""
    return [row.id, row.parent] if row.parent else [row.id]


def _done(row: Stored, asked: Asked, result: object) -> Done:
    root = asked.replay_of or row.id
    if isinstance(result, Acceptance):
        return Done(row.id, root, asked.id, shapes.STATUS[result.rank], result.first)
    return Done(row.id, root, row.id, shapes.STATUS[row.rank], why="the database does not hold what it says")


def _there(row: Stored, family: Family) -> Done:
    return Done(row.id, family.root.id, family.newest.id, shapes.STATUS[family.newest.rank])


def _conflict(code: str, detail: str) -> Problem:
    return Problem(HTTPStatus.CONFLICT, code, detail)
