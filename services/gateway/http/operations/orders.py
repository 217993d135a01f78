"""What an operator orders of one service, and what that has answered: a pause, a resume, a trial."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from pydantic_core import from_json
from starlette.responses import Response

from contracts import events as e
from contracts.jobs import State
from kit.bus.publisher import PublishFailed
from kit.bus.record import Outgoing
from services.gateway.http.desk import Desk
from services.gateway.http.ids import new_id
from services.gateway.http.problems import unavailable
from services.gateway.http.shape import Shape
from services.gateway.rules.trust import Caller
from services.gateway.store import operations
from services.gateway.store.operations import Run


class Ordered(Shape):
    """What every order shows: what was asked, and what its service answered."""

    order_id: UUID
    order: str
    state: State
    asked_by: str | None = None
    asked_at: datetime
    result: dict[str, Any] | None = None


async def ordered(
    desk: Desk, caller: Caller, command: str, service: str, args: Mapping[str, Any], seconds: float | None = None
) -> Run:
    """Orders it; what the service has answered when it has, or when the time is over. Raises Problem 503."""
    order_id = new_id()
    async with desk.front.connection() as connection:
        await operations.ask(connection, order_id, command, caller.owner)
    control = e.Control(
        correlation_id=order_id, command=command, service=service, args=dict(args) | {"asked_by": caller.owner}
    )
    try:
        await desk.publisher.publish([Outgoing.of(control)])
    except PublishFailed:
        raise unavailable("Kafka", seconds=5) from None

    async def ended() -> Run | None:
        run = await _run()
        return run if state_of(run) in ("done", "failed") else None

    async def _run() -> Run:
        async with desk.front.connection() as connection:
            run = await operations.run(connection, order_id)
        assert run, "what was asked is remembered for thirty days"
        return run

    return await desk.until(ended, seconds) or await _run()


def state_of(run: Run) -> State:
    """`waiting` until its service says something."""
    return run.answers[0].state if run.answers else "waiting"  # type: ignore[return-value]


def about(run: Run) -> dict[str, Any]:
    """The fields of `Ordered`, but for what was ordered."""
    return {
        "order_id": run.run_id,
        "state": state_of(run),
        "asked_by": run.asked_by,
        "asked_at": run.asked_at,
        "result": from_json(run.answers[0].result) if run.answers else None,
    }


def answered(shown: Ordered) -> Response:
    """202 while nobody has answered."""
    return shown.response(HTTPStatus.OK if shown.state in ("done", "failed") else HTTPStatus.ACCEPTED)
