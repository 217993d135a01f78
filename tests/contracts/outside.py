"""What a stranger publishes, as a reader takes it."""

import json

from contracts import events as e
from contracts import topics
from contracts.cloudevents import decode
from contracts.status import Lane
from contracts.topics import Topic
from tests.contracts.golden import PLACE

NORMAL = topics.REQUESTED[Lane.NORMAL]
ID = "53284879-c8d6-5078-969b-ae549af0efa7"


def read(body: object, topic: Topic = NORMAL, key: bytes | None = None, **headers: str) -> e.Event | None:
    value = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode(topic, key, value, [(name, text.encode()) for name, text in headers.items()], PLACE)
