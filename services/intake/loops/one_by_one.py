"""A row that cannot be said, after an upgrade perhaps, stops no other."""

from collections.abc import Callable, Iterable

from kit import logs
from services.intake.rules.row import Row, Step

log = logs.get(__name__)


def one_by_one(rows: Iterable[Row], make: Callable[[Row], Step], otherwise: Callable[[Row], Step] = Step) -> list[Step]:
    """What `make` makes of each row, and `otherwise` of one on which it fails; that is logged, without its content."""
    return [_one(row, make, otherwise) for row in rows]


def _one(row: Row, make: Callable[[Row], Step], otherwise: Callable[[Row], Step]) -> Step:
    try:
        return make(row)
    except Exception as error:  # whatever a rule, a zone or a template of today says of a row of yesterday
        log.error("row_cannot_be_said", id=str(row.id), error=type(error).__name__)
        return otherwise(row)
