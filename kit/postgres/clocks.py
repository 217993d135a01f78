"""The database's two clocks: one for what is planned, one for what passes."""

from datetime import datetime

from kit.postgres.database import Connection


async def clock(connection: Connection) -> datetime:
    """tocsin.clock(): planned instants, expiry and reminders go by it, and tests move it."""
    at: datetime = await connection.fetchval("select tocsin.clock()")
    return at


async def clock_timestamp(connection: Connection) -> datetime:
    """The time of day that nobody moves: leases, pauses and ages go by it."""
    at: datetime = await connection.fetchval("select clock_timestamp()")
    return at
