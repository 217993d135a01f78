"""Whoever speaks with Kafka does so as the settings say: with TLS, and as somebody."""

from __future__ import annotations

import re

from tests.lint.tree import texts

CLIENT = re.compile(r"AIOKafka(?:Consumer|Producer|AdminClient)\((?P<told>.{0,120})", re.DOTALL)
HOUSE = ("kit", "services", "cli", "deploy")


def test_every_client_of_kafka_is_made_as_the_settings_say() -> None:
    made = [
        (path, found["told"])
        for path, text in texts()
        if path.suffix == ".py" and path.parts[0] in HOUSE
        for found in CLIENT.finditer(text)
    ]
    assert len(made) >= 5
    assert [str(path) for path, told in made if "**reaching(" not in told] == []
