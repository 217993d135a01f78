"""How timelines read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

from rich.console import Console

from cli.timeline import Story, clock, heading, line, plain, verdict
from client.shapes import Line, Notification

NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
SEEN = Notification(
    id="019a", status="sent", channel="email", to="ann@example.com", subject="Your order", created_at=NOON
)


def test_a_line_says_when_how_long_after_what_and_how() -> None:
    told = Line(at=NOON + timedelta(seconds=0.25), event="sent", try_=2, provider="smtp", detail="250 Ok")
    assert line(SEEN, told).plain.endswith("     +0.25 s  sent          smtp, try 2, 250 Ok")


def test_an_instant_in_a_detail_is_shown_as_clocks_show_it() -> None:
    told = Line(at=NOON, event="scheduled", detail="2027-03-01T12:00:05.000Z: quiet hours")
    assert line(SEEN, told).plain.endswith(f"until {clock(NOON + timedelta(seconds=5))}: quiet hours")


def test_texts_of_others_cannot_command_the_terminal() -> None:
    assert plain("a\x1b[2Jb\nc\u202ed") == "a�[2Jb�c�d"
    for shown in (
        heading(SEEN.model_copy(update={"subject": "\x1b]0;x\x07", "to": "\x9bA"})),
        line(SEEN, Line(at=NOON, event="failed", provider="\x1b", detail="\x1b[31m")),
        verdict(SEEN.model_copy(update={"reason": "\x1b[31m"})),
    ):
        assert all(sign.isprintable() for sign in shown.plain)


def test_brackets_in_texts_are_no_markup() -> None:
    out = StringIO()
    Console(file=out, markup=False, width=200).print(heading(SEEN.model_copy(update={"subject": "[bold]x[/bold]"})))
    assert "“[bold]x[/bold]”" in out.getvalue()


def test_each_line_is_told_once_also_when_an_earlier_one_comes_late() -> None:
    out = StringIO()
    story = Story(Console(file=out, width=200, highlight=False))
    late, known = Line(at=NOON, event="accepted"), Line(at=NOON + timedelta(seconds=1), event="sent")
    story.tell(SEEN.model_copy(update={"timeline": (known,)}))
    story.tell(SEEN.model_copy(update={"timeline": (late, known)}))
    assert [told.split()[-1] for told in out.getvalue().splitlines()] == ["sent", "accepted"]


def test_an_end_gives_its_reason() -> None:
    assert verdict(SEEN).plain == "= sent"
    failed = SEEN.model_copy(update={"status": "failed", "reason": "refused", "detail": "550 no such mailbox"})
    assert verdict(failed).plain == "= failed (refused: 550 no such mailbox)"
