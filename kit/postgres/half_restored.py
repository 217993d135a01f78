"""A restore that has begun and not ended: what it left is no database that anybody may work in (P9)."""

from typing import Final

import asyncpg

from kit.postgres.not_migrated import NotMigrated

MARK: Final = "tocsin_restoring"
"""A schema, for that is what an owner may make anywhere, and no dump of ours holds it."""
THERE: Final = f"to_regnamespace('{MARK}') is not null"


class HalfRestored(NotMigrated):
    """Neither services nor migrations begin on it: what was asked for since the backup would never be read again."""

    def __init__(self) -> None:
        super().__init__(
            "a restore of this database has begun and not ended: say `tocsin restore FOLDER --yes` again "
            "(docs/operations.md), then start the services"
        )


async def begin(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    """From now on nobody else begins to work here."""
    await owner.execute(f"create schema if not exists {MARK}")


async def end(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    """All is as the backup says, and will be read on from there."""
    await owner.execute(f"drop schema if exists {MARK}")
