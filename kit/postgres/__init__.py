"""One PostgreSQL, a schema and a role for each service, and what an error of it means for a batch."""

from kit.postgres.alone import alone
from kit.postgres.database import Connection, Database
from kit.postgres.fate import Fate, fate, timed_out
from kit.postgres.migrating import Migrations, all_schemas, behind, migrate, role_of
from kit.postgres.not_migrated import NotMigrated

__all__ = [
    "Connection",
    "Database",
    "Fate",
    "Migrations",
    "NotMigrated",
    "all_schemas",
    "alone",
    "behind",
    "fate",
    "migrate",
    "role_of",
    "timed_out",
]
