"""What has happened to the notifications of tenants that have webhooks, as deliveries to be made (P6.7)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from contracts import events as e
from kit.postgres import Connection
from kit.stage import Message
from services.gateway.rules import webhooks
from services.gateway.store import webhook_deliveries
from services.gateway.store import webhooks as store


async def tell(connection: Connection, messages: Sequence[Message], watched: Mapping[UUID, str]) -> None:
    """In the transaction that shows it to people: what they see is told, and nothing that they do not see. `watched`
    are the tenants of these notifications: one that was cleaned up is not among them, whatever comes about it late."""
    happened = [
        (event, name, message.received.timestamp)
        for message in messages
        if isinstance(event := message.event, e.OfNotification)
        and event.id in watched
        and (name := webhooks.name_of(event))
    ]
    if not happened:
        return
    endpoints = await store.listening(connection, {*watched.values()})
    wanted = {name for one in endpoints for name in one.events}
    if ids := {event.id for event, name, _ in happened if name in wanted}:
        requests = await webhook_deliveries.requests(connection, ids)
        if told := webhooks.told(happened, endpoints, requests):
            await webhook_deliveries.add(connection, told)
