"""Claims that prevent nothing any more are deleted: longer after the end than Kafka keeps what could repeat it (P8).
Of a person who is forgotten they keep what prevents a second sending, and lose what a provider said of an address."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from contracts.erasure import FORGET, Forget
from kit.cleaning import Unhurried, cleanup
from kit.control.forgetting import forget_orders
from kit.control.running import Work
from kit.delivery.awaiting import forget_awaited
from kit.delivery.receipts import forget_receipts
from kit.delivery.store import forgetting as store
from kit.metrics import Metrics
from kit.postgres import Database

AGE: Final = timedelta(days=30)
AT_ONCE: Final = 1000
LOWEST: Final = UUID(int=0)


async def forget_claims(database: Database, *, age: timedelta = AGE, at_once: int = AT_ONCE) -> int:
    """Walks over all notifications, a page at a time, each in a transaction of its own; how many claims it deleted.

    Only notifications whose highest claim is an end, and whose last result is older than `age`: a try that is open, a
    retry that waits, an acceptance that was not announced keep all claims of theirs.
    """
    after, forgotten, rest = LOWEST, 0, Unhurried()
    while True:
        async with database.transaction() as connection:
            last = await store.last_of_page(connection, after, at_once)
            if last is None:
                return forgotten
            forgotten += await store.forget(connection, after, last, age)
        after = last
        await rest.rest()


def works(database: Database, metrics: Metrics) -> dict[str, Work]:
    """The jobs that are about a sender's rows, by name, as `contracts.jobs` lists them."""
    clean_up = cleanup(
        metrics,
        {
            "claims": lambda: forget_claims(database),
            "receipts": lambda: forget_receipts(database),
            "awaited": lambda: forget_awaited(database),
            "orders": lambda: forget_orders(database),
        },
    )

    async def forget(args: Mapping[str, Any]) -> dict[str, int]:
        who = Forget.model_validate(args)
        # Receipts first: they are found by what is blanked in claims.
        return {
            "receipts": await store.erase_receipts(database, who),
            "claims": await store.erase_claims(database, who),
        }

    return {"cleanup": clean_up, FORGET.id: forget}
