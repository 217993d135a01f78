"""What a record of an archive is found by, what a search wants of it, and what stays when its person is forgotten."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from contracts.erasure import Forget, hashed

Record = Mapping[str, Any]
"""A notification as JSON: the fields that `GET /v1/notifications/{id}` shows, with tenant, owner, and when it ended."""

CONTENT: Final = frozenset(("to", "subject", "body", "html", "template", "data", "locale", "kind", "category")) | {
    *("collapse_key", "reply_to", "attachments", "metadata", "detail")
}
"""Goes when the person is forgotten; ids, times and outcomes stay (P8)."""

WORD_BYTES: Final = 8


def word(kind: str, value: str) -> bytes:
    """A thing that records are found by, as the index keeps it: so short that a part's words are small, so long that
    a part is hardly ever read in vain."""
    return sha256(f"{kind}\n{value}".encode()).digest()[:WORD_BYTES]


def address_word(hash: str) -> bytes:
    """That of an address, by the hash under which it travels in an erasure."""
    return word("to", hash)


def words_of(record: Record) -> set[bytes]:
    """Everything that this record is found by."""
    found = {word("id", record["id"])}
    if to := record.get("to"):
        found.add(address_word(hashed(to)))
    if user_id := record.get("user_id"):
        found.add(word("user", user_id))
    found.update(word(f"metadata.{name}", value) for name, value in (record.get("metadata") or {}).items())
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a search is for; all of it must hold. `since` and `until` are about when it was accepted."""

    id: str | None = None
    to: str | None = None
    user_id: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    tenant: str | None = None
    status: str | None = None
    channel: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def words(self) -> set[bytes]:
        """Those that a part must have."""
        about = {"id": self.id, "to": self.to, "user_id": self.user_id, "metadata": dict(self.metadata)}
        found = words_of(about | {"id": self.id or ""})
        return found if self.id else found - {word("id", "")}

    def is_met_by(self, record: Record) -> bool:
        """Whether this is one of those."""
        plain = {"id": self.id, "user_id": self.user_id, "tenant": self.tenant, "status": self.status}
        told = plain | {"channel": self.channel}
        return (
            all(value is None or record.get(name) == value for name, value in told.items())
            and (self.to is None or hashed(record.get("to") or "") == hashed(self.to))
            and all((record.get("metadata") or {}).get(name) == value for name, value in self.metadata)
            and self.covers(created_at(record), created_at(record))
        )

    def covers(self, first: datetime, last: datetime) -> bool:
        """Whether something accepted between these two may be meant."""
        return (self.since is None or last >= self.since) and (self.until is None or first < self.until)


def created_at(record: Record) -> datetime:
    """When it was accepted."""
    return datetime.fromisoformat(record["created_at"])


def words_about(who: Forget) -> set[bytes]:
    """What records about this person have one of."""
    return {word("user", who.user_id), *map(address_word, who.address_hashes)}


def is_about(record: Record, who: Forget) -> bool:
    """Addressed to the person, or without a person to one of the addresses: as everywhere (P8)."""
    theirs = record.get("user_id") == who.user_id or (
        record.get("user_id") is None and hashed(record.get("to") or "") in who.address_hashes
    )
    return theirs and record["tenant"] == who.tenant and created_at(record) <= who.through


def forgotten(record: Record) -> Record:
    """What stays of it."""
    kept = {name: value for name, value in record.items() if name not in CONTENT}
    lines = [_without(line, "detail") for line in record.get("timeline", ())]
    return kept | {"timeline": lines, "forgotten": True}


def parts_of(records: Iterable[Record]) -> tuple[datetime, datetime, bytes]:
    """First and last acceptance of these records (there is one at least), and all their words in order."""
    times, found = [], set[bytes]()
    for record in records:
        times.append(created_at(record))
        found |= words_of(record)
    return min(times), max(times), b"".join(sorted(found))


def _without(line: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != name}
