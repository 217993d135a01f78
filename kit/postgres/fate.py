"""Whose fault is a database error: the connection's, the data's, or neither for sure (P7)."""

from typing import Final, Literal

from asyncpg.exceptions import (
    IdleInTransactionSessionTimeoutError,
    PostgresError,
    QueryCanceledError,
    TransactionTimeoutError,
    _base,
)

Fate = Literal["connection", "data", "other"]

# https://www.postgresql.org/docs/18/errcodes-appendix.html: the first two characters are the class.
DATA: Final = frozenset({"21", "22", "23", "54"})
"""cardinality, data, integrity constraint, program limit: the row is to blame, and will be next time."""
CONNECTION: Final = frozenset({"08", "28", "3D", "40", "53", "55", "57", "58"})
"""connection, authorisation, no such database, rollback, resources, object in use, operator intervention, system."""
CONNECTION_STATES: Final = frozenset({"25006", "25P03", "25P04"})
"""Of the transaction states: a standby that takes no writes, and a transaction that was open for too long."""

GONE: Final = ("is clos", "released back to the pool")
"""How asyncpg speaks of a connection that broke while nobody waited on it, and of a pool at its end."""

# The last two close the connection: nothing was asked for too long, since the rules took their time.
_TOO_LONG: Final = (
    TimeoutError,
    QueryCanceledError,
    IdleInTransactionSessionTimeoutError,
    TransactionTimeoutError,
)


def fate(error: BaseException) -> Fate:
    """What to do with the batch that met `error`.

    "connection": keep it and try again; "data": look for the culprit by halves; "other": try again, and look for a
    culprit when it repeats three times while `select 1` answers.
    """
    match error:
        case PostgresError():
            return _of_state(error.sqlstate or "")
        case _base.DataError() | UnicodeError():
            return "data"
        case _base.InterfaceError() if any(sign in str(error) for sign in GONE):
            return "connection"
        case OSError() | EOFError() | _base.InternalClientError():
            # The last: the server said goodbye on an idle connection, whose end asyncpg has not read yet.
            return "connection"
        case _:
            return "other"


def timed_out(error: BaseException) -> bool:
    """It took too long, by a limit of the server's (57014, 25P03, 25P04) or by ours: of the fate "connection", and
    perhaps the data's fault all the same, where it goes on while `select 1` answers.
    """
    return isinstance(error, _TOO_LONG)


def lost(error: BaseException) -> bool:
    """The connection broke, as far as we know: the server did not say why."""
    said = isinstance(error, PostgresError) and (error.sqlstate or "")[:2] != "08"
    return not said and not timed_out(error) and fate(error) == "connection"


def _of_state(sqlstate: str) -> Fate:
    if sqlstate[:2] in DATA:
        return "data"
    return "connection" if sqlstate[:2] in CONNECTION or sqlstate in CONNECTION_STATES else "other"
