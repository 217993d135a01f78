"""After a restore nobody acts on time alone before Kafka has told again what has changed since the backup (P9)."""

from kit.restored.catching_up import CATCHING_UP, CatchingUp

__all__ = ["CATCHING_UP", "CatchingUp"]
