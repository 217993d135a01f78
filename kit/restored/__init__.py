"""After a restore nobody acts on time alone before Kafka has told again what has changed since the backup (P9)."""

from kit.restored.unread import CATCHING_UP, Unread

__all__ = ["CATCHING_UP", "Unread"]
