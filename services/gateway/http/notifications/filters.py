"""What lists of notifications are narrowed by, as the query of an address says it."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Final

from fastapi import Query
from starlette.requests import Request

from services.gateway.http.problems import invalid
from services.gateway.rules import search

After = Annotated[str | None, Query(description="The `next` of the page before.")]
To = Annotated[str | None, Query(description="The address it was asked to be sent to.", max_length=320)]
Since = Annotated[datetime | None, Query(description="It failed then or later, whenever it was accepted.")]

PARAMETERS: Final = frozenset(
    ("status", "channel", "to", "user_id", "group", "after", "limit", "created_after", "created_before")
)
"""What every list of notifications is narrowed by, beside metadata."""


def words(request: Request, to: str | None, known: Collection[str]) -> tuple[tuple[str, str], ...]:
    """What is searched for by equality. A filter that does not exist is an error: it would silently show everything."""
    found = [(search.ADDRESS, search.address(to))] if to else []
    for name, value in request.query_params.multi_items():
        if name.startswith(search.METADATA):
            found.append((name, search.word(value)))
        elif name not in known:
            raise invalid([(name, f"is no filter; there are {', '.join(sorted(known))} and metadata.KEY")])
    return tuple(found)
