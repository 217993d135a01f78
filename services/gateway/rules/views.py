"""What is kept of a request for people to see: as little work as can be when it comes, the rest when somebody reads."""

from typing import Any

from pydantic_core import from_json

from contracts.outside import Envelope
from contracts.request import NotificationRequest


def view_of(request: NotificationRequest, record: bytes | None = None) -> str:
    """The request as JSON, of attachments only what they are. Without any the value of the record that carried it
    will do, whoever wrote it: `fields_of` finds the request in there, when somebody wants to read it."""
    if not request.attachments:
        return record.decode() if record else request.plain
    return request.model_dump_json(exclude_defaults=True, exclude={"attachments": {"__all__": {"content"}}})


def fields_of(view: str) -> dict[str, Any]:
    """What was asked for, from what is kept of it: a request, an event of ours that holds one, or a stranger's record
    with its envelope around the same fields (P1)."""
    found: dict[str, Any] = from_json(view)
    inner = found.get("request")
    if isinstance(inner, dict):
        return inner
    return {name: value for name, value in found.items() if name not in Envelope.model_fields}
