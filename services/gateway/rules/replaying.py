"""A failed notification that is sent again: a new one, which says whose replay it is (P6.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from contracts import identity
from contracts.record import sentence
from contracts.request import NotificationRequest
from contracts.status import Status
from services.gateway.rules.asked import Asked, whole
from services.gateway.rules.stored import Stored

FAILED: Final = (Status.UNDELIVERED, Status.FAILED, Status.REJECTED, Status.EXPIRED)
"""What may be replayed. What somebody cancelled was not wanted."""
RANKS: Final = frozenset(status.rank for status in FAILED)

DROPPED: Final = ("send_at", "time_zone", "fold", "expires_at", "collapse_key", "channel", "channels")
"""Its time is over; and under its collapse key it would end a newer one that is not sent yet. The channel is the one
on which it failed."""


class CannotReplay(Exception):
    """Why it cannot be sent again; a sentence."""


@dataclass(frozen=True, slots=True)
class Family:
    """A notification and its replays: a replay of a replay is the next one of the first."""

    root: Stored
    replays: Sequence[Stored]

    @property
    def newest(self) -> Stored:
        """The one that counts: only when it has failed, too, there is another."""
        by_id = {one.id: one for one in self.replays}
        n = self.next_number - 1
        return by_id[replay_id(self.root.id, n)] if n else self.root

    @property
    def next_number(self) -> int:
        """That of the replay to come; numbers have no gaps."""
        ids = {one.id for one in self.replays}
        return next(n for n in range(1, len(ids) + 2) if replay_id(self.root.id, n) not in ids)


def replay_id(root: UUID, n: int) -> UUID:
    """The id of its n-th replay: two who ask for it at the same moment name the same one."""
    return identity.child_id(root, f"replay/{n}")


def has_failed(row: Stored) -> bool:
    """Whether it may be replayed."""
    return row.rank in RANKS


def replay(family: Family, files: str | None) -> Asked:
    """The next replay, of the newest; `files` as its row keeps them. Raises CannotReplay."""
    root, last = family.root, family.newest
    if last.request is None:
        raise CannotReplay("what it said is not kept here: it was made by another one, was refused, or is forgotten")
    asked = whole(last.request, files)
    if asked.get("attachments") and files is None:
        raise CannotReplay("it came by Kafka with attachments, of which only the names are kept: ask for it anew")
    kept = {name: value for name, value in asked.items() if name not in DROPPED}
    try:
        request = NotificationRequest.model_validate(kept | {"channel": last.channel})
    except ValidationError as error:
        raise CannotReplay(f"what it asked for would be refused: {sentence(error)}") from None
    return Asked.of(replay_id(root.id, family.next_number), root.tenant, root.owner, request, root.id)
