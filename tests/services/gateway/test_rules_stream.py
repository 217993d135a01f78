"""Where a stream goes on, whose pages may listen, and what a client may say: as tables of rows (P6.4)."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.gateway.rules.chatter import Chatter
from services.gateway.rules.origins import may_open, origin_of
from services.gateway.rules.resuming import MOST_MISSED, Place, Stream, event_id, place_of, place_of_event, resumed

EPOCH, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("place", "stream", "expected"),
    [
        (None, Stream(EPOCH, 7, 0), (7, False)),
        (Place(EPOCH, 7), Stream(EPOCH, 7, 0), (7, True)),
        (Place(EPOCH, 0), Stream(EPOCH, 7, 0), (0, True)),
        (Place(EPOCH, 3), Stream(EPOCH, 7, 3), (3, True)),
        (Place(EPOCH, 2), Stream(EPOCH, 7, 3), (7, False)),
        (Place(EPOCH, 8), Stream(EPOCH, 7, 0), (7, False)),
        (Place(OTHER, 7), Stream(EPOCH, 7, 0), (7, False)),
        (Place(EPOCH, 0), Stream(EPOCH, MOST_MISSED, 0), (0, True)),
        (Place(EPOCH, 0), Stream(EPOCH, MOST_MISSED + 1, 0), (MOST_MISSED + 1, False)),
    ],
)
def test_where_it_goes_on(place: Place | None, stream: Stream, expected: tuple[int, bool]) -> None:
    assert resumed(place, stream) == expected


def test_a_place_is_read_as_it_was_said() -> None:
    assert place_of(None, None) is place_of("", "") is None
    assert place_of(str(EPOCH), "5") == place_of_event(event_id(EPOCH, 5)) == Place(EPOCH, 5)
    for epoch, offset in (
        (str(EPOCH), None),
        (None, "1"),
        ("x", "1"),
        *((str(EPOCH), o) for o in ("-1", "1.0", "٣", "9" * 19)),
    ):
        with pytest.raises(ValueError):
            place_of(epoch, offset)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, True),
        ("http://n.example:8000", True),
        ("https://n.example:8000", True),
        ("https://public.example", True),
        ("https://app.example", True),
        ("HTTPS://APP.EXAMPLE", True),
        ("http://app.example", False),
        ("https://app.example:8443", False),
        ("https://app.example.evil.example", False),
        ("https://evil.example/https://app.example", False),
        ("null", False),
        ("", False),
        ("http://[", False),
        ("https://n.example:8000/path", False),
    ],
)
def test_whose_pages_may_listen(origin: str | None, expected: bool) -> None:
    allowed = ["https://app.example:443"]
    assert may_open(origin, "n.example:8000", "https://public.example/tocsin", allowed) is expected


def test_no_host_is_nobodys() -> None:
    assert not may_open("null", "", "https://public.example", [])
    assert origin_of("https://[::1]:8000/x") == "https://[::1]:8000"


def test_what_a_client_may_say() -> None:
    chatter = Chatter(3, 10.0)
    assert chatter.heard('{"type": "ping", "more": 1}', 100.0) == "ping"
    assert chatter.heard("[1", 101.0) == "nonsense"
    assert chatter.heard(None, 102.0) == "nonsense"
    assert chatter.heard('{"type": "ping"}', 109.9) == "too_much"
    assert chatter.heard('{"type": "ping"}', 110.0) == "ping"
