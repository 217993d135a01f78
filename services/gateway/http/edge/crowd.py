"""Who comes on top of all that can be taken is turned away at the door, for a fraction of what an answer costs."""

from collections.abc import Collection, Iterable
from http import HTTPStatus

from starlette.responses import Response
from uvicorn._types import HTTPScope

from kit.metrics import Metrics
from services.gateway.http.edge import guarded
from services.gateway.http.edge.guarded import Header
from services.gateway.http.problems import Problem, unavailable
from services.gateway.outbox.writer import TOO_MANY, Writer


def full() -> Problem:
    """So many wait that nothing is begun."""
    return unavailable(f"accepting ({TOO_MANY})")


class Crowd:
    """Where five times more is asked than can be done, saying no would take all the time. What is said is what the
    route says, too, written once; pages of other sites, which need more headers, are left to that."""

    def __init__(self, writer: Writer, metrics: Metrics, paths: Collection[str], public_url: str) -> None:
        """`paths`: those of the POSTs that `writer` takes."""
        self._writer = writer
        self._metrics = metrics
        self._paths = frozenset(paths)
        self._refusal = _written(full().response(), guarded.said(public_url))

    def refusal(self, scope: HTTPScope) -> bytes | None:
        """What follows the line of the status (503) and the server's own headers; None: come in."""
        if scope["method"] != "POST" or scope["path"] not in self._paths or not self._writer.is_full:
            return None
        if any(name == b"origin" for name, _ in scope["headers"]):
            return None
        self._metrics.request(scope["method"], scope["path"], HTTPStatus.SERVICE_UNAVAILABLE, 0.0)
        return self._refusal


def _written(response: Response, more: Iterable[Header]) -> bytes:
    lines = [b"%b: %b\r\n" % header for header in (*response.raw_headers, *more)]
    return b"".join([*lines, b"\r\n", bytes(response.body)])
