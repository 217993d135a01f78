"""An order is taken, done and answered; an instance that dies over it leaves it to the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import UUID, uuid4

from contracts import events as e
from contracts.jobs import PAUSE, RESUME
from kit import logs
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.clock import monotonic, utc_now
from kit.control import store
from kit.control.hearing import switch_of
from kit.control.instance import Instance
from kit.control.store import Answer, Order
from kit.postgres import Database
from kit.service import Repeating

Work = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""A command's work: from its arguments to its result. It may be done again where its instance died over it."""

EVERY: Final = 1.0
"""Seconds between two looks for orders that another instance has heard."""
LEASE: Final = 15.0
"""Seconds for which an order belongs to whoever took it; he holds it for as long as he works."""
RENEW: Final = LEASE / 3
"""Seconds after which he says again that he has it."""
TRIES: Final = 3
"""Instances that may die over an order, or attempts that may fail, before it is given up."""
PAUSE_AFTER_FAILURE: Final = 2.0
AT_ONCE: Final = 100

log = logs.get(__name__)


class CannotBeDone(Exception):
    """The order makes no sense; the text says what would. Trying again would not help."""


class Running(Repeating):
    """Does what was written down, one order after the other, and answers on `ops.status`."""

    def __init__(
        self,
        instance: Instance,
        database: Database,
        publisher: Publisher,
        works: Mapping[str, Work],
        *,
        lease: float = LEASE,
        renew: float = RENEW,
    ) -> None:
        """`lease` and `renew` as LEASE and RENEW."""
        super().__init__("orders", self.once, EVERY)
        self.now: str | None = None
        """The command that is being done."""
        self._instance = instance
        self._database = database
        self._publisher = publisher
        self._works = {PAUSE: _switched, RESUME: _switched} | dict(works)
        self._lease = lease
        self._renew = renew

    async def once(self) -> bool:
        """The next order, if there is one, and what is to be announced; whether there was one."""
        token = uuid4()
        async with self._database.connection() as connection:
            order = await store.take(connection, token, self._instance.name, self._lease)
        if order is not None:
            await self._do(order, token)
        await self._announce()
        return order is not None

    async def _do(self, order: Order, token: UUID) -> None:
        log.info("order_taken", command=order.command, correlation_id=str(order.correlation_id), tries=order.tries)
        await self._say(order, "running", {})
        self.now = order.command
        holding = asyncio.create_task(self._hold_on(order, token))
        try:
            ended = await self._ended(order)
        except asyncio.CancelledError:
            with suppress(Exception):
                async with self._database.connection() as connection:
                    await store.give_back(connection, order, token)
            raise
        finally:
            self.now = None
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
        async with self._database.connection() as connection:
            if ended is None:
                await store.hold(connection, order, token, PAUSE_AFTER_FAILURE * order.tries)
            else:
                await store.end(connection, order, token, *ended)

    async def _ended(self, order: Order) -> tuple[str, dict[str, Any]] | None:
        """State and result; None: to be tried again."""
        if order.tries > TRIES:
            return "failed", {"error": f"given up after {TRIES} tries, of which none came to an end"}
        begun = monotonic()
        try:
            work = self._works.get(order.command)
            if work is None:
                raise CannotBeDone(f"{self._instance.service} knows {', '.join(sorted(self._works))}")
            result = dict(await work(order.args | {"command": order.command}))
            return "done", result | {"seconds": round(monotonic() - begun, 3)}
        except CannotBeDone as error:
            return "failed", {"error": str(error)}
        except Exception as error:
            log.exception("order_failed", command=order.command, tries=order.tries)
            return ("failed", {"error": type(error).__name__}) if order.tries >= TRIES else None

    async def _hold_on(self, order: Order, token: UUID) -> None:
        """Somebody else takes it if we do not: what we hold, we hold for as long as we live."""
        while True:
            await asyncio.sleep(self._renew)
            with suppress(Exception):
                async with self._database.connection() as connection:
                    await store.hold(connection, order, token, self._lease)

    async def _announce(self) -> None:
        """Also what another instance has ended, and died before it could say so: the same event, id for id."""
        async with self._database.connection() as connection:
            answers = await store.unannounced(connection, AT_ONCE)
        if answers:
            await self._publisher.publish([Outgoing.of(self._status(answer)) for answer in answers])
            async with self._database.connection() as connection:
                await store.announced(connection, [answer.correlation_id for answer in answers])

    async def _say(self, order: Order, state: str, result: dict[str, Any]) -> None:
        """In passing: nobody depends on it."""
        answer = Answer(order.correlation_id, order.command, self._instance.name, state, utc_now(), result)
        with suppress(Exception):
            await self._publisher.publish([Outgoing.of(self._status(answer))])

    def _status(self, answer: Answer) -> e.ServiceStatus:
        return e.ServiceStatus(
            correlation_id=answer.correlation_id,
            command=answer.command,
            service=self._instance.service,
            instance=answer.instance,
            state=answer.state,
            at=answer.at,
            result=answer.result,
        )


async def _switched(args: Mapping[str, Any]) -> Mapping[str, Any]:
    """The switch was stored when it was heard; what is left is to say so."""
    named = switch_of(args["command"], dict(args))
    if named is None:
        raise CannotBeDone("say which: args {provider: NAME} or {channel: NAME}")
    kind, name = named
    return {kind: name, "paused": args["command"] == PAUSE}
