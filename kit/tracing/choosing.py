"""Traces are recorded where OpenTelemetry's own variables say where to, and its library is there."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Final

from kit import logs
from kit.tracing.tracer import OFF, Tracer

WHERE: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
NEEDED: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
REMEDY: Final = "run `scripts/venv.sh tracing`, or pip install 'tocsin[tracing]', and start again"

log = logs.get(__name__)


def tracer_of(
    service: str, environ: Mapping[str, str], there: Callable[[str], bool] = lambda name: _is_there(name)
) -> Tracer:
    """The tracer of this service. Without the library the service goes on: the variables may be a whole cluster's."""
    if not is_wanted(environ):
        return OFF
    if not all(map(there, NEEDED)):
        log.warning("no_traces", detail=f"{WHERE[0]} is set, and OpenTelemetry is not installed here: {REMEDY}")
        return OFF
    from kit.tracing.exporting import exporting

    return exporting(service)


def is_wanted(environ: Mapping[str, str]) -> bool:
    """By the variables of OpenTelemetry's specification."""
    off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not off and environ.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp" and any(map(environ.get, WHERE))


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
