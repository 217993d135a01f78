"""Sending and watching from the command line, with a real gateway behind it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import UUID

import pytest

from tests.cli.conftest import Place, tocsin

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAIL = ("send", "--to", "ann@example.com", "--subject", "Your order", "--body", "On its way.")
BODY = {"channel": "email", "to": "ann@example.com", "subject": "Your order", "body": "On its way."}


async def sent_id(place: Place, *more: str) -> str:
    done = await place.tocsin(*MAIL, *more)
    assert done.code == 0, done.err
    return done.out.strip()


async def test_send_prints_the_id_alone(place: Place) -> None:
    id = await sent_id(place)
    assert str(UUID(id)) == id
    seen = await place.stack.get(id)
    assert seen and (seen["to"], seen["subject"], seen["body"]) == ("ann@example.com", "Your order", "On its way.")


async def test_send_with_json_prints_what_the_gateway_answered(place: Place) -> None:
    done = await place.tocsin(*MAIL, "--lane", "urgent", "--group", "orders", "--json")
    assert done.json["status"] == "accepted"
    assert (done.json["lane"], done.json["group"]) == ("urgent", "orders")


async def test_the_same_key_is_one_notification(place: Place) -> None:
    assert await sent_id(place, "--key", "order-77") == await sent_id(place, "--key", "order-77")
    other = await place.tocsin("send", "--to", "ann@example.com", "--subject", "b", "--body", "b", "--key", "order-77")
    assert other.code == 1
    assert "used for another body" in other.err


async def test_a_body_is_read_from_a_pipe(place: Place) -> None:
    done = await place.tocsin("send", "--channel", "sms", "--to", "+46701740605", "--body", "-", stdin="From a pipe.")
    seen = await place.stack.get(done.out.strip())
    assert seen and seen["body"] == "From a pipe."


async def test_files_go_along_by_what_they_are(place: Place, tmp_path: Path) -> None:
    """A calendar that asks is an invitation."""
    contents = {"rdv.ics": b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n", "été.pdf": b"%PDF", "what": b"\x00"}
    for name, octets in contents.items():
        (tmp_path / name).write_bytes(octets)
    options = [part for name in contents for part in ("--attach", str(tmp_path / name))]
    seen = await place.stack.get(await sent_id(place, "--category", "news", *options))
    assert seen and seen["category"] == "news"
    assert [(one["name"], one["content_type"]) for one in seen["attachments"]] == [
        ("rdv.ics", "text/calendar; method=REQUEST"),
        ("été.pdf", "application/pdf"),
        ("what", "application/octet-stream"),
    ]
    gone = await place.tocsin(*MAIL, "--attach", str(tmp_path / "gone"))
    assert gone.code == 1 and "cannot be read" in gone.err


async def test_a_time_ahead_is_counted_from_now(place: Place) -> None:
    seen = await place.stack.get(await sent_id(place, "--send-at", "+2h"))
    assert seen and seen["send_at"] > seen["created_at"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--send-at", "+soon"), "--send-at +soon is no time: write +30s, +10m"),
        (("--send-at", "tomorrow"), "send_at"),
        (("--data", "[1]"), "--data is not a JSON object: write it like"),
        (("--data", "{"), "--data is not JSON"),
        (("--body", "-", "--html", "-"), "standard input can be read once"),
        (("--to", "nobody"), "to: "),
        (("--url", "http://127.0.0.1:nine"), "the gateway does not answer at"),
        (("--token", "nonsense"), "the token cannot be used"),
        (("--token", "nön\nsense"), "what was given is no token at all"),
    ],
)
async def test_what_cannot_be_sent_is_one_sentence(place: Place, arguments: tuple[str, ...], sentence: str) -> None:
    done = await place.tocsin(*MAIL, *arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("tocsin: ") and sentence in done.err
    assert done.err.count("\n") == 1 and done.err.endswith(".\n")


async def test_watch_tells_each_line_once_and_ends_with_it(place: Place) -> None:
    id = await sent_id(place)
    watching = asyncio.create_task(place.tocsin("watch", id))
    await place.sent(id, detail="250 2.0.0 Ok")
    done = await watching
    assert done.code == 0, done.err
    first, *lines, last = done.out.splitlines()
    assert first == f"email to ann@example.com  “Your order”  {id}"
    assert [line.split()[3] for line in lines] == ["accepted", "sent"]
    assert lines[-1].endswith("smtp, 250 2.0.0 Ok")
    assert last == "= sent"


async def test_watch_of_what_failed_ends_with_exit_code_1(place: Place) -> None:
    id = await sent_id(place)
    await place.failed(id, detail="550 no such mailbox")
    done = await place.tocsin("watch", id)
    assert done.code == 1
    assert "= failed (refused: 550 no such mailbox)" in done.out


async def test_watch_with_json_prints_the_end_as_rest_does(place: Place) -> None:
    id = await sent_id(place)
    await place.sent(id)
    done = await place.tocsin("watch", id, "--json")
    seen = await place.stack.get(id)
    assert seen and done.json["status"] == seen["status"] == "sent"
    assert [line["try"] for line in done.json["timeline"] if line["event"] == "sent"] == [1]


async def test_send_with_watch_follows_at_once(place: Place) -> None:
    sending = asyncio.create_task(place.tocsin(*MAIL, "--watch", "--key", "followed"))
    await place.sent((await place.stack.post(BODY, key="followed", user="developer"))["id"])
    done = await sending
    assert (done.code, done.out.splitlines()[-1]) == (0, "= sent")


async def test_watch_gives_up_in_time_and_says_that_nothing_is_lost(place: Place) -> None:
    id = await sent_id(place)
    done = await place.tocsin("watch", id, "--seconds", "0.2")
    assert done.code == 1
    assert f"{id} is still accepted after 0.2 s: it goes on by itself" in done.err


async def test_watch_of_an_unknown_id_says_so(place: Place) -> None:
    done = await place.tocsin("watch", "019a0000-0000-7000-8000-000000000000")
    assert (done.code, done.err) == (1, "tocsin: there is no such notification, or it is not yours.\n")
    for id in ("..", "a/b", "é", ""):
        done = await place.tocsin("watch", id)
        assert (done.code, done.err) == (1, f"tocsin: “{id}” is no id of a notification.\n")


async def test_a_gateway_with_another_secret_refuses_and_the_remedy_is_told(place: Place) -> None:
    done = await place.tocsin(*MAIL, JWT_SECRET="another secret, and just as long as the first")
    assert done.code == 1
    assert "the gateway refuses our token" in done.err and "JWT_SECRET" in done.err


async def test_without_a_gateway_the_remedy_is_told(place: Place, nowhere: dict[str, str]) -> None:
    for arguments in (MAIL, ("watch", "some-id")):
        done = await tocsin(*arguments, settings=nowhere, folder=place.stack.folder)
        assert done.code == 1
        assert f"the gateway does not answer at http://127.0.0.1:{nowhere['GATEWAY_PORT']}" in done.err
        assert "`tocsin up` starts it" in done.err


async def test_a_token_of_the_command_line_is_taken_by_the_gateway(place: Place) -> None:
    minted = await place.tocsin("token", "--user", "root", "--admin")
    answer = await place.stack.http.get(
        f"{place.stack.url}/v1/notifications", headers={"Authorization": f"Bearer {minted.out.strip()}"}
    )
    assert answer.status_code == 200


async def test_the_demonstration_tells_four_lives(place: Place) -> None:
    """The services that are not here are played: whatever was accepted is said to be sent."""
    program = "import os; from pathlib import Path; from kit.settings import load; from cli.demo import run; "
    showing = asyncio.create_task(_python(place, program + "run(load(Path('.'), os.environ))"))
    told: set[str] = set()
    while not showing.done():
        page = (await place.stack.call("GET", "/v1/notifications", user="alice")).json()
        for item in page["items"]:
            if item["id"] not in told and item["status"] == "accepted":
                told.add(item["id"])
                await place.sent(item["id"], channel=item["channel"], owner="user:alice")
        await asyncio.sleep(0.05)
    code, out = showing.result()
    assert code == 0, out
    lines = out.splitlines()
    for name in ("email", "sms", "inapp", "reminder"):
        mine = [line for line in lines if line.startswith(f"{name} ")]
        assert " to " in mine[0]
        assert [line.split()[-2 if "smtp" in line else -1] for line in mine[1:-1]] == ["accepted", "sent"]
        assert mine[-1].endswith("= sent")


async def test_the_installed_program_is_the_same(place: Place) -> None:
    code, out = await _python(place, "from cli.main import main; import sys; sys.argv[1:] = ['watch', 'x']; main()")
    assert (code, out) == (1, "tocsin: there is no such notification, or it is not yours.\n")


async def _python(place: Place, program: str) -> tuple[int, str]:
    [gateway] = place.stack.of("gateway")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        cwd=place.stack.folder,
        env=gateway.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()
