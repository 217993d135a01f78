"""Which trace a notification belongs to: W3C Trace Context as one text, which goes wherever the notification does.

The text is a `traceparent`, and after a space its `tracestate`, if it has one: "00-<trace>-<span>-01 vendor=abc".
"""

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator

PARENT: Final = 55
"""Characters of a traceparent."""
LONGEST_STATE: Final = 512
"""Characters of a tracestate that anybody has to pass on (W3C Trace Context, 3.3.1.5)."""
PLAIN: Final = "traceparent"
OF_CLOUDEVENTS: Final = "ce_traceparent"
"""The same header as the distributed tracing extension of CloudEvents calls it on Kafka."""
STATES: Final = ("tracestate", "ce_tracestate")

_VERSION_0 = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_LATER = re.compile(r"(?!00|ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(?:-.*)?")


def given(parent: str | None, state: str | None = None) -> str | None:
    """The trace that these two headers name. None where there is none, or where the first is malformed: that is
    nobody's error. A later version of traceparent is read as far as this one goes."""
    parent = (parent or "").strip()
    if not _VERSION_0.fullmatch(parent):
        later = _LATER.fullmatch(parent)
        if later is None:
            return None
        parent = f"00-{later[1]}"
    state = (state or "").strip()
    return f"{parent} {state}" if _is_passed_on(state) else parent


def of_headers(headers: Mapping[str, bytes]) -> str | None:
    """The trace that a record of Kafka names."""
    parent = headers.get(PLAIN) or headers.get(OF_CLOUDEVENTS)
    if not parent:  # nearly always: so it is found out by two looks, for each record that is read
        return None
    state = next((headers[name] for name in STATES if name in headers), b"")
    return given(parent.decode("ascii", "replace"), state.decode("ascii", "replace"))


def to_headers(trace: str) -> list[tuple[str, bytes]]:
    """The headers that say the same."""
    parent, state = trace[:PARENT], trace[PARENT + 1 :]
    headers = [(PLAIN, parent.encode())]
    return [*headers, ("tracestate", state.encode())] if state else headers


def id_of(trace: str) -> str:
    """The trace's own id: 32 hexadecimal digits."""
    return trace[3:35]


def is_sampled(trace: str) -> bool:
    """Whether whoever began it records it."""
    return bool(int(trace[53:PARENT], 16) & 1)


def _is_passed_on(state: str) -> bool:
    return 0 < len(state) <= LONGEST_STATE and state.isascii() and state.isprintable() and "=" in state


def _checked(trace: str) -> str | None:
    parent, _, state = trace.partition(" ")
    return given(parent, state)


Trace = Annotated[str, AfterValidator(_checked)] | None
"""In events. What is malformed is as if it were not there."""
