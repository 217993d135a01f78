"""Whether a service lives, whether it can work, and what it has counted, for whoever asks over HTTP."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kit import logs

log = logs.get(__name__)

Check = Callable[[], bool]


class Health:
    """Named checks and a registry, and who shows them: `app` (ASGI), or its `routes` for an app of more than this."""

    def __init__(self, service: str, registry: CollectorRegistry) -> None:
        self.service = service
        self.registry = registry
        self._checks: dict[str, Check] = {}
        self._lacks: dict[str, Check] = {}
        self.routes = [
            Route("/health/live", self._live, include_in_schema=False),
            Route("/health/ready", self._ready, include_in_schema=False),
            Route("/metrics", self._metrics, include_in_schema=False),
        ]
        self.app = Starlette(routes=self.routes)

    def ready_when(self, name: str, check: Check) -> None:
        """Ready only while this check is true, too. It must answer at once; one that raises counts as false."""
        if name in self._checks:
            raise ValueError(f"two checks are named {name}")
        self._checks[name] = check

    def degraded_while(self, name: str, check: Check) -> None:
        """It works, but not as it should, while this is true; answers at once, as `ready_when` says."""
        self._lacks[name] = check

    def degraded(self) -> list[str]:
        """The names of what is not as it should be, though the service can work."""
        return [name for name, check in self._lacks.items() if _answer(name, check)]

    def not_ready(self) -> list[str]:
        """The names of what is not ready; none when the service can work."""
        return [name for name, check in self._checks.items() if not _answer(name, check)]

    async def _live(self, request: Request) -> Response:
        return JSONResponse({"service": self.service, "live": True})

    async def _ready(self, request: Request) -> Response:
        waiting = self.not_ready()
        answer = {"service": self.service, "ready": not waiting, "not_ready": waiting, "degraded": self.degraded()}
        return JSONResponse(answer, status_code=503 if waiting else 200)

    async def _metrics(self, request: Request) -> Response:
        """In the form that is asked for: OpenMetrics has exemplars, the older text has none."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self.registry), headers={"Content-Type": content_type})


def _answer(name: str, check: Check) -> bool:
    try:
        return check()
    except Exception:
        log.exception("check_failed", check=name)
        return False
