"""The few forms that questions to Prometheus have here."""

from typing import Final

from deploy.grafana.panels import Ask

WINDOW: Final = "$__rate_interval"
NONE_YET: Final = " or vector(0)"
"""Behind a sum of what has never happened: 0, instead of no answer."""


def per_second(name: str, *by: str, where: str = "") -> Ask:
    """How often a counter rises in a second, by these labels."""
    return f"sum by ({', '.join(by)}) (rate({name}{_braces(where)}[{WINDOW}]))", _called(*by)


def within(name: str, window: str, where: str = "") -> str:
    """By how much a counter has risen in a window such as `24h`, all together."""
    return f"sum(increase({name}{_braces(where)}[{window}])){NONE_YET}"


def quantile(q: float, name: str, *by: str, where: str = "", window: str = WINDOW) -> Ask:
    """The value of a histogram below which so many lie (0.99), by these labels."""
    buckets = f"sum by ({', '.join(('le', *by))}) (rate({name}_bucket{_braces(where)}[{window}]))"
    return f"histogram_quantile({q}, {buckets})", f"p{q * 100:g} {_called(*by)}".strip()


def both(name: str, *by: str, where: str = "") -> tuple[Ask, Ask]:
    """The middle and the slowest hundredth of a histogram."""
    return quantile(0.5, name, *by, where=where), quantile(0.99, name, *by, where=where)


def now(name: str, *by: str, how: str = "sum", where: str = "") -> Ask:
    """A gauge as it is, by these labels."""
    return f"{how} by ({', '.join(by)}) ({name}{_braces(where)})", _called(*by)


def _braces(where: str) -> str:
    return f"{{{where}}}" if where else ""


def _called(*by: str) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in by)
