"""A person in what several people share: schedules and deadlines go on without whoever is forgotten (P8)."""

from collections.abc import Collection
from uuid import UUID

from contracts import events as e
from contracts.erasure import Forget, hashed
from contracts.schedule import WHAT, Address, Schedule
from services.gateway.rules.recurring import Kept, setting


def names(schedule: Schedule, user_id: str, hashes: Collection[str]) -> bool:
    """Whether one of its recipients is this person."""
    return any(_is(one, user_id, hashes) for one in schedule.recipients)


def without(kept: Kept, who: Forget, version: int, command: UUID) -> e.Setting | e.Tombstone:
    """The schedule for those who are left; gone, where nobody is."""
    left = tuple(one for one in kept.schedule.recipients if not _is(one, who.user_id, who.address_hashes))
    if not left:
        return e.Tombstone(tenant=kept.tenant, path=f"{WHAT}/{kept.id}")
    schedule = kept.schedule.model_copy(update={"recipients": left, "changed_at": who.through})
    return setting(kept.tenant, kept.id, version, command, schedule)


def not_assigned(deadline: e.Deadline, user_id: str, command: UUID) -> e.Deadline:
    """The deadline, of which this person is told nothing any more."""
    left = tuple(one for one in deadline.assignees if one != user_id)
    return deadline.model_copy(update={"assignees": left, "command": command})


def _is(recipient: str | Address, user_id: str, hashes: Collection[str]) -> bool:
    return hashed(recipient.to) in hashes if isinstance(recipient, Address) else recipient == user_id
