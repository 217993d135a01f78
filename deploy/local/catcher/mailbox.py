"""The mails that were taken, and every try there was: a bounded SQLite table, in memory or in a file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.catcher.mail import Mail, Try, headers

SCHEMA = """
create table if not exists mails (
  id integer primary key autoincrement,   -- never given twice, so that "newer than" keeps its meaning
  received_at text not null,
  sender text not null,
  recipients text not null,               -- one per line
  subject text not null,
  message_id text not null,
  copy text,                              -- the header that marks a possible copy
  source blob not null
);
create index if not exists mails_message_id on mails (message_id);
"""


class Mailbox:
    """Keeps the newest mails up to a number and a total size; the oldest go first."""

    def __init__(self, file: Path | None = None, *, keep: int = 20_000, keep_bytes: int = 256 * 2**20) -> None:
        """`file` is where mails outlive the process; None keeps them in memory."""
        if file is not None:
            file.touch(mode=0o600)  # mails are nobody else's; what SQLite adds beside the file takes its mode
        self._db = sqlite3.connect(file or ":memory:", isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = off")  # a page for developers: a power cut may cost the last mails
        self._db.executescript(SCHEMA)
        self._keep = keep
        self._keep_bytes = keep_bytes
        self._bytes: int = self._db.execute("select coalesce(sum(length(source)), 0) from mails").fetchone()[0]
        self._tries: deque[Try] = deque(maxlen=keep)
        self._changed = asyncio.Event()
        self.ending = False
        """Whoever waits for a mail waits in vain from now on."""

    def end_waiting(self) -> None:
        """Wakes all who wait, for the last time."""
        self.ending = True
        self._wake()

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def add(self, sender: str, recipients: Sequence[str], source: bytes) -> int:
        """Keeps one mail and wakes who waits for it; returns its number."""
        found = headers(source)
        row = (
            datetime.now(UTC).isoformat(),
            sender,
            "\n".join(recipients),
            found.subject,
            found.message_id,
            found.copy,
            source,
        )
        cursor = self._db.execute(
            "insert into mails (received_at, sender, recipients, subject, message_id, copy, source)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        self._bytes += len(source)
        self._forget_the_oldest()
        self._wake()
        return cursor.lastrowid or 0

    def note(self, attempt: Try) -> None:
        """Remembers one try, kept mail or not."""
        self._tries.append(attempt)
        self._wake()

    def tries(self, recipient: str | None = None) -> list[Try]:
        """The newest tries, oldest first."""
        return [one for one in self._tries if recipient is None or one.recipient.lower() == recipient.lower()]

    def get(self, number: int) -> Mail | None:
        """One mail by its number."""
        row = self._db.execute("select * from mails where id = ?", (number,)).fetchone()
        return None if row is None else _mail(row)

    def count(self) -> int:
        """How many mails are kept."""
        return int(self._db.execute("select count(*) from mails").fetchone()[0])

    def message_ids(self) -> dict[str, int]:
        """How often each Message-ID was taken: what a judge of lost and doubled mails asks."""
        return dict(self._db.execute("select message_id, count(*) from mails group by message_id").fetchall())

    def find(
        self,
        *,
        to: str | None = None,
        subject: str | None = None,
        message_id: str | None = None,
        after: int = 0,
        limit: int = 1000,
        newest_first: bool = False,
    ) -> list[Mail]:
        """The mails that fit: recipient and Message-ID exactly, subject as a part of it, number above `after`."""
        conditions = ["id > ?"]
        arguments: list[int | str] = [after]
        if to is not None:
            conditions.append("instr(char(10) || lower(recipients) || char(10), char(10) || ? || char(10)) > 0")
            arguments.append(to.lower())
        if subject is not None:
            conditions.append("instr(subject, ?) > 0")
            arguments.append(subject)
        if message_id is not None:
            conditions.append("message_id = ?")
            arguments.append(message_id)
        order = "desc" if newest_first else "asc"
        query = f"select * from mails where {' and '.join(conditions)} order by id {order} limit ?"
        return [_mail(row) for row in self._db.execute(query, [*arguments, limit])]

    def clear(self) -> None:
        """Throws all mails and tries away; numbers go on counting."""
        self._db.execute("delete from mails")
        self._tries.clear()
        self._bytes = 0
        self._wake()

    async def changed(self) -> None:
        """Returns when something was added, noted or cleared."""
        await self._changed.wait()

    def _wake(self) -> None:
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()

    def _forget_the_oldest(self) -> None:
        while self._bytes > self._keep_bytes or self.count() > self._keep:
            (size,) = self._db.execute(
                "delete from mails where id = (select min(id) from mails) returning length(source)"
            ).fetchone()
            self._bytes -= size


def _mail(row: tuple[int, str, str, str, str, str, str | None, bytes]) -> Mail:
    number, received_at, sender, recipients, subject, own_id, copy, source = row
    return Mail(
        number,
        datetime.fromisoformat(received_at),
        sender,
        tuple(recipients.split("\n")),
        subject,
        own_id,
        copy,
        source,
    )
