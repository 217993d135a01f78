"""Groups and collapse keys of a batch: locked before anything is judged, in one order (P3.4, P3.5)."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from contracts import events as e
from kit.bus.record import Outgoing
from kit.postgres import Connection
from services.intake.rules.collapsing import key_of
from services.intake.rules.facts import FOR_EVER, CollapseKey, GroupEnd, Newest, Tenanted
from services.intake.rules.row import Row, State
from services.intake.store import groups as store

Ends = dict[Tenanted, list[GroupEnd]]


async def end(connection: Connection, events: Iterable[e.Event]) -> tuple[list[e.Event], Ends]:
    """Locks the groups that the batch concerns and raises the ends of those that are cancelled (P3.4): the answers, and
    until when the members of the groups that it joins are ended."""
    joined: set[Tenanted] = set()
    cancels: list[e.Cancel] = []
    for event in events:
        match event:
            case e.Requested():
                joined.update(_groups_of(event))
            case e.Cancel(id=None, group=str()):
                cancels.append(event)
    if not joined and not cancels:
        return [], {}
    ended = {(cancel.tenant, cancel.group or "") for cancel in cancels}
    await store.lock(connection, joined, ended)
    said: list[e.Event] = [await _end_group(connection, cancel) for cancel in cancels]
    return said, await store.ends(connection, joined) if joined else {}


async def _end_group(connection: Connection, cancel: e.Cancel) -> e.GroupCancelled:
    group = cancel.group or ""
    until = GroupEnd(cancel.owner, FOR_EVER if cancel.for_ever else cancel.accepted_at, cancel.reason)
    through = await store.raise_end(connection, cancel.tenant, group, until)
    reached = None if through >= FOR_EVER else through
    return e.GroupCancelled(tenant=cancel.tenant, group=group, owner=cancel.owner, through=reached)


def _groups_of(event: e.Requested) -> list[Tenanted]:
    """The group it names; and, where it makes several notifications, the one that they are."""
    request = event.request
    named = [event.group or request.group, str(event.id) if request.channels or request.escalate else None]
    return [(event.tenant, name) for name in named if name]


async def lock_newest(connection: Connection, events: Iterable[e.Event]) -> dict[CollapseKey, Newest]:
    """The newest of each collapse key that the batch names (P3.5)."""
    keys = {key for event in events if isinstance(event, e.Requested) for key in _keys_of(event)}
    return await store.lock_newest(connection, keys) if keys else {}


def _keys_of(event: e.Requested) -> list[CollapseKey]:
    request = event.request
    if request.collapse_key is None:
        return []
    person = request.user_id or request.to or ""
    return [CollapseKey(event.tenant, person, channel, request.collapse_key) for channel in request.all_channels]


async def newest_of_waiting(
    connection: Connection, found: Mapping[UUID, Row], known: Mapping[CollapseKey, Newest]
) -> dict[CollapseKey, Newest]:
    """For what may turn out ripe: looked at again (P3.5)."""
    keys = {
        key_of(row)
        for row in found.values()
        if row.collapse_key and row.state is State.WAITING and row.request is not None
    }
    return await store.newest(connection, keys - known.keys()) if keys - known.keys() else {}


def ends_a_group(said: Iterable[Outgoing]) -> bool:
    """Whether members of a group have to be told now."""
    return any(isinstance(one.event, e.GroupCancelled) for one in said)
