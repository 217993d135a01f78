"""What services say of themselves and answer to orders, kept for those who watch (P9)."""

from collections.abc import Sequence
from typing import Final

from pydantic_core import to_json

from contracts import events as e
from contracts.erasure import FORGET
from contracts.jobs import JOBS, ORDERS
from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.stage import Message
from services.gateway.handlers import counts
from services.gateway.store import operations
from services.gateway.store.operations import Answer, Instance, Told

LIFE: Final = ("alive", "stopped")
ANSWERED: Final = frozenset((*JOBS, *ORDERS, FORGET.id))
"""What is ordered, and answered with a result."""
JOB: Final = "job"
"""The state of a status in which the scheduler tells of one job."""


async def note(connection: Connection, messages: Sequence[Message]) -> Sequence[Outgoing]:
    """Each thing that was said, where it belongs; what nobody here asks for is passed over."""
    said = [(message, event) for message in messages if isinstance(event := message.event, e.ServiceStatus)]
    await operations.note_instances(connection, [_instance(m, s) for m, s in said if s.state in LIFE])
    await operations.note_jobs(connection, [_told(status) for _, status in said if status.state == JOB])
    await operations.note_answers(connection, [_answer(status) for _, status in said if _is_answer(status)])
    return await counts.note(connection, messages)


def _is_answer(status: e.ServiceStatus) -> bool:
    return status.command in ANSWERED and status.state in ("running", "done", "failed")


def _instance(message: Message, status: e.ServiceStatus) -> Instance:
    about = to_json(status.result).decode()
    return Instance(status.service, status.instance, status.state, message.received.timestamp, about)


def _told(status: e.ServiceStatus) -> Told:
    return Told(status.command or "", to_json(status.result).decode(), status.at)


def _answer(status: e.ServiceStatus) -> Answer:
    result = to_json(status.result).decode()
    job = status.command or ""
    return Answer(status.correlation_id, job, status.service, status.instance, status.state, status.at, result)
