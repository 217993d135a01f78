"""What each program may do on Kafka, and nothing else: made from the list of topics and groups."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from contracts.topics import ALL, ANYONE, GROUPS, SERVICES, Topic

Kind = Literal["topic", "group"]

PRODUCER: Final = "producer"
"""Any other program that publishes."""
OPERATOR: Final = "operator"
"""Who looks, with `tocsin topics`, and makes what is missing: sees how far everybody is, and no message."""
WHO_ASK: Final = ("intake", "scheduler", "gateway", OPERATOR)
"""Those who ask how far the groups of others have come (P3.9, P9)."""


@dataclass(frozen=True, slots=True)
class Grant:
    """`program` may do `operations` with the one topic or consumer group of this name (without the prefix)."""

    program: str
    kind: Kind
    name: str
    operations: tuple[str, ...]


def grants() -> tuple[Grant, ...]:
    """All of them, program by program. https://kafka.apache.org/documentation/#operations_resources_and_protocols"""
    programs = (*SERVICES, PRODUCER, OPERATOR)
    return tuple(grant for program in programs for grant in (*_topics(program), *_groups(program)))


def principal(program: str) -> str:
    """The user a program is on Kafka, named like its role in PostgreSQL."""
    return f"tocsin_{program}"


def options(prefix: str = "") -> list[str]:
    """What Kafka's own kafka-acls.sh is told, call by call: those that differ in the name alone share one."""
    calls: dict[str, list[str]] = {}
    for grant in grants():
        may = " ".join(f"--operation {one}" for one in grant.operations)
        call = calls.setdefault(f"--add --allow-principal User:{principal(grant.program)} {may} {grant.kind}", [])
        call.append(f"--{grant.kind} {prefix}{grant.name}")
    return [f"{call.rpartition(' ')[0]} {' '.join(names)}" for call, names in calls.items()]


def _topics(program: str) -> Iterator[Grant]:
    for topic in ALL:
        if operations := tuple(_with(program, topic)):
            yield Grant(program, "topic", topic.name, operations)


def _with(program: str, topic: Topic) -> Iterator[str]:
    """Each service makes what is missing, whoever comes first; what it may not see would look missing to it."""
    if program in topic.readers:
        yield "Read"
    if program in topic.writers or (program == PRODUCER and ANYONE in topic.writers):
        yield "Write"
    if program != PRODUCER or ANYONE in topic.writers:
        yield "Describe"
    if program != PRODUCER:
        yield "Create"


def _groups(program: str) -> Iterator[Grant]:
    for group in GROUPS:
        if group.name.partition(".")[0] == program:
            yield Grant(program, "group", group.name, ("Read",))
        elif program in WHO_ASK:
            yield Grant(program, "group", group.name, ("Describe",))
