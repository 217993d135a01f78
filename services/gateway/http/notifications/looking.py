"""Finding a notification for a caller, and showing it with all that happened to it."""

from collections.abc import Sequence
from uuid import UUID

from starlette.responses import Response

from kit.postgres import Connection, fate
from services.gateway.http.desk import Desk
from services.gateway.http.ids import id_of
from services.gateway.http.notifications import shapes
from services.gateway.http.problems import forbidden, not_found
from services.gateway.rules import timeline, trust
from services.gateway.rules.trust import Caller, Whose
from services.gateway.store import reading
from services.gateway.store.reading import Stored


async def readable(connection: Connection, caller: Caller, text: str) -> Stored:
    """The notification with this id, if the caller may see it. Raises Problem 404."""
    id = id_of(text)
    row = await reading.one(connection, id) if id else None
    if row is None or not trust.may_read(caller, _whose(row)):
        raise not_found("notification")
    return row


async def changeable(connection: Connection, caller: Caller, text: str) -> Stored:
    """The same, if the caller may also move and cancel it. Raises Problem 404, or 403 for who is only addressed."""
    row = await readable(connection, caller, text)
    if not trust.may_change(caller, _whose(row)):
        raise forbidden("not_the_sender", "it is addressed to you: only who asked for it can move or cancel it")
    return row


def _whose(row: Stored) -> Whose:
    return Whose(row.tenant, row.owner, row.user_id)


async def shown(connection: Connection, rows: Sequence[Stored]) -> list[shapes.Notification]:
    """These notifications as people see them."""
    lines = await reading.timelines(connection, rows)
    refusals = await reading.refusals(connection, [row.id for row in rows])
    parents = [row.id for row in rows if row.channels]
    children = await reading.children(connection, parents) if parents else []
    return [
        shapes.notification(
            row,
            timeline.ordered(row.accepted_at, lines[row.place] + refusals.get(row.id, [])),
            [child for child in children if child.parent == row.id],
        )
        for row in rows
    ]


async def awaited(desk: Desk, id: UUID, seconds: float) -> shapes.Notification | None:
    """The notification as it is once it has ended, or when the time is over. None: it cannot be seen any more, such as
    while the database is away. It is accepted all the same: after an error it would be asked for, and sent, again."""
    try:
        return await _ended(desk, id, seconds)
    except Exception as error:
        if fate(error) != "connection":
            raise
        return None


async def _ended(desk: Desk, id: UUID, seconds: float) -> shapes.Notification | None:
    if seconds:
        await desk.outcomes.wait(id, seconds)
    async with desk.front.connection() as connection:
        row = await reading.one(connection, id)
        return (await shown(connection, [row]))[0] if row else None


async def outcome(desk: Desk, id: UUID, seconds: float, answer: Response) -> Response:
    """`answer`, with what has come of the notification by then."""
    found = await awaited(desk, id, seconds)
    return found.response(answer.status_code, {"Location": answer.headers["Location"]}) if found else answer
