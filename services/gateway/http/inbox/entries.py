"""Entries of an inbox as REST shows them, and as they are rewritten."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AliasChoices, Field, StringConstraints, field_validator, model_validator

from contracts.request import HeaderText, Strict, header_text, no_nul, plain_data
from services.gateway.http.shape import Shape
from services.gateway.store.entries import Entry

LONGEST_BODY: Final = 256 * 1024


class InboxEntry(Shape):
    """One entry; `offset` is its place in the person's stream, `version` counts how often it was written."""

    id: UUID
    offset: int
    version: int
    kind: str | None = None
    category: str | None = None
    title: str | None = None
    body: str | None = None
    data: dict[str, Any] | None = None
    created_at: datetime
    read_at: datetime | None = None
    archived_at: datetime | None = None


class InboxPage(Shape):
    """The newest first; `unread` counts the whole inbox."""

    items: tuple[InboxEntry, ...]
    next: str | None = None
    unread: int


class ReadAll(Shape):
    """How many entries were unread until now."""

    read: int


class GroupUpdated(Shape):
    """How many entries say something else now; those that said so already are not counted."""

    group: str
    updated: int


class GroupRecalled(Shape):
    """How many entries were taken back; those that were already are not counted."""

    group: str
    recalled: int


class EntryUpdate(Strict):
    """What an entry is to say. What is left out stays; null takes title or data away. The title may be called
    `subject`, as in the request that it came from."""

    title: HeaderText | None = Field(default=None, validation_alias=AliasChoices("title", "subject"))
    body: Annotated[str, StringConstraints(max_length=LONGEST_BODY)] = ""
    data: dict[str, Any] | None = None

    @field_validator("title")
    @classmethod
    def _one_line(cls, text: str | None) -> str | None:
        return text if text is None else header_text(text)

    @field_validator("body")
    @classmethod
    def _no_nul(cls, text: str) -> str | None:
        return no_nul(text)

    @field_validator("data")
    @classmethod
    def _plain(cls, data: dict[str, Any] | None) -> dict[str, Any] | None:
        return plain_data(data)

    @model_validator(mode="after")
    def _something(self) -> "EntryUpdate":
        if not self.model_fields_set:
            raise ValueError("title: give title, body or data")
        return self

    @property
    def said(self) -> dict[str, Any]:
        """Only what was given."""
        return self.model_dump(include=self.model_fields_set)


def page(rows: Sequence[Entry], limit: int, unread: int) -> InboxPage:
    """These entries, of which one more than `limit` was read to see whether there are more."""
    following = str(rows[limit - 1].offset) if len(rows) > limit else None
    return InboxPage(items=tuple(map(shown, rows[:limit])), next=following, unread=unread)


def shown(entry: Entry) -> InboxEntry:
    """One entry as its person sees it."""
    return InboxEntry(
        id=entry.id,
        offset=entry.offset,
        version=entry.version,
        kind=entry.kind,
        category=entry.category,
        **entry.words._asdict(),
        created_at=entry.created_at,
        read_at=entry.read_at,
        archived_at=entry.archived_at,
    )
