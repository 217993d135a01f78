"""Writes the contracts down for other languages: `python -m contracts.generate [--check]`.

JSON Schemas (2020-12) go to contracts/schemas/, one per event and three for what any program may publish; AsyncAPI 3
to contracts/asyncapi.json. With `--check` nothing is written, and the exit code is 1 when a file is not up to date.
"""

import inspect
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from contracts import events as e
from contracts import topics
from contracts.outside import Envelope, Key
from contracts.request import Label, NotificationRequest, When
from contracts.topics import Topic

FOLDER: Final = Path(__file__).parent
SCHEMAS: Final = FOLDER / "schemas"
EXAMPLES: Final = FOLDER / "examples"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Document = dict[str, Any]


class OutsideRequest(Envelope, NotificationRequest):
    """A request of any program."""

    type: Literal["request"] = "request"
    id: Key | int | None = None  # type: ignore[assignment]


class OutsideCancel(Envelope):
    """Stop one notification, by `notification_id` or by `source` and `id`, or all of a group from the same source."""

    type: Literal["cancel"]
    id: Key | int | None = None  # type: ignore[assignment]
    group: Label | None = None


class OutsideMove(Envelope, When):
    """Send it at another time instead."""

    type: Literal["move"]
    id: Key | int | None = None  # type: ignore[assignment]


OUTSIDE: Final[dict[str, type[BaseModel]]] = {
    "outside.request": OutsideRequest,
    "outside.cancel": OutsideCancel,
    "outside.move": OutsideMove,
}


def models() -> dict[str, type[BaseModel]]:
    """What is described, by name: every event that travels, in the order of the topics, and what outsiders write."""
    events = dict.fromkeys(event for topic in topics.ALL for event in topic.events)
    return {event.ce_type: event for event in events} | OUTSIDE


def files() -> dict[Path, str]:
    """Everything that is generated: path and text."""
    schemas = {SCHEMAS / f"{name}.json": _text(schema(name, model)) for name, model in models().items()}
    return schemas | {FOLDER / "asyncapi.json": _text(asyncapi())}


def schema(name: str, model: type[BaseModel]) -> Document:
    """The JSON Schema of one event's value."""
    return {"$schema": DIALECT, "$id": f"{name}.json", **model.model_json_schema()}


def asyncapi() -> Document:
    """The whole system: a channel per topic, an operation per service that writes or reads it."""
    described = models()
    _, schemas = models_json_schema(
        [(model, "validation") for model in described.values()], ref_template="#/components/schemas/{model}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tocsin",
            "version": "1",
            "description": "Event-driven notifications and reminders. Values are JSON; events of Tocsin's own carry "
            "CloudEvents 1.0 headers in binary mode. Contracts grow by optional fields only: pass over what you do "
            "not know.",
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": {"host": "127.0.0.1:9092", "pathname": "", "protocol": "kafka"}},
        "channels": {topic.name: _channel(topic) for topic in topics.ALL},
        "operations": dict(_operations()),
        "components": {
            "messages": {name: _message(name, model) for name, model in described.items()},
            "schemas": schemas["$defs"],
        },
    }


def _channel(topic: Topic) -> Document:
    policy = "compact" if topic.compacted else "delete"
    said = f"Keys are {topic.key}. Written by {', '.join(topic.writers)}; read by {', '.join(topic.readers)}."
    limits = {"cleanup.policy": [policy], "max.message.bytes": topic.max_message_bytes}
    retention = {} if topic.compacted else {"retention.ms": topic.retention_ms}
    return {
        "address": topic.name,
        "description": said,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _names(topic)},
        "bindings": {"kafka": {"topicConfiguration": limits | retention, "bindingVersion": "0.5.0"}},
    }


def _names(topic: Topic) -> list[str]:
    own = [event.ce_type for event in topic.events]
    return own + list(OUTSIDE) if topic.outside and not topic.compacted else own


def _operations() -> Iterator[tuple[str, Document]]:
    for topic in topics.ALL:
        for service in topic.writers:
            yield _operation("send", service, topic)
        for service in topic.readers:
            yield _operation("receive", service, topic)


def _operation(action: str, service: str, topic: Topic) -> tuple[str, Document]:
    does = "writes" if action == "send" else "reads"
    return f"{service.replace(' ', '_')}.{does}.{topic.name}", {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "title": f"{service} {does} {topic.name}",
        "tags": [{"name": service}],
    }


def _message(name: str, model: type[BaseModel]) -> Document:
    own = issubclass(model, e.Event)
    return {
        "name": name,
        "title": model.__name__,
        "summary": (inspect.getdoc(model) or "").partition("\n\n")[0].replace("\n", " "),
        "contentType": "application/json",
        "headers": _headers(name if own else None),
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
        "examples": list(_examples(name)),
    }


def _headers(ce_type: str | None) -> Document:
    """The CloudEvents attributes: events of ours have all of them, those of outsiders may have them."""
    text: Document = {"type": "string"}
    kind: Document = text | ({"const": ce_type} if ce_type else {})
    needed = {"ce_specversion": text | {"const": "1.0"}, "ce_type": kind, "ce_source": text, "ce_id": text}
    return {
        "type": "object",
        "properties": needed | {"ce_subject": text},
        **({"required": [*needed, "ce_subject"]} if ce_type else {}),
    }


def _examples(name: str) -> Iterator[Document]:
    for found in json.loads((EXAMPLES / f"{name}.json").read_text())[:2]:
        yield {"summary": found["what"], "headers": found["headers"], "payload": found["value"]}


def _text(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def stale(wanted: Mapping[Path, str]) -> Iterable[Path]:
    """Files that are missing, differ, or belong to no event any more."""
    there = {*SCHEMAS.glob("*.json")} | {path for path in wanted if path.exists()}
    return sorted(path for path in there | wanted.keys() if path not in there or path.read_text() != wanted.get(path))


def main(arguments: list[str]) -> int:
    wanted = files()
    differ = list(stale(wanted))
    names = ", ".join(str(path.relative_to(FOLDER.parent)) for path in differ)
    if "--check" in arguments:
        if differ:
            print(f"not up to date: {names}; run `python -m contracts.generate`", file=sys.stderr)
        return 1 if differ else 0
    SCHEMAS.mkdir(exist_ok=True)
    for path in differ:
        if path in wanted:
            path.write_text(wanted[path])
        else:
            path.unlink()
    print(f"written: {names}" if differ else "nothing changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
