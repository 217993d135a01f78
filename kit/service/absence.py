"""Whether something failed only because a server is not there: at the start, not yet."""

import errno
from typing import Final

from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from kit.bus.publisher import PublishFailed
from kit.postgres import NotMigrated, fate

# Waiting does not give us a port or a permission.
OUR_OWN_TROUBLE: Final = frozenset({errno.EADDRINUSE, errno.EACCES, errno.EPERM})


def is_absence(error: BaseException) -> bool:
    """True for what waiting mends: no connection, a server that is starting, a schema that is not migrated yet."""
    match error:
        case NotMigrated() | KafkaConnectionError() | KafkaTimeoutError():
            return True
        case PublishFailed():
            return not error.refused
        case KafkaError():
            return bool(error.retriable)
        case OSError() if error.errno in OUR_OWN_TROUBLE:
            return False
        case _:
            return fate(error) == "connection"
