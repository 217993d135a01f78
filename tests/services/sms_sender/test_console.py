"""The simulated provider: every message is a line that people can read, and nothing leaves the house."""

import json
from pathlib import Path
from typing import Any

from contracts.events import Content
from kit.delivery.outcomes import Accepted, Outcome, Unavailable
from kit.delivery.provider import Parcel
from kit.settings import Settings, load
from services.sms_sender.app import provider
from services.sms_sender.providers.console import FILE, Console
from tests.kit.delivery.support import due


async def handed_over(console: Console, text: str, **more: Any) -> Outcome:
    said = await console.hand_over(Parcel(due(content=Content(to="+33612345678", text=text)), **more))
    await console.close()
    return said


async def test_a_line_with_text_number_and_parts(tmp_path: Path) -> None:
    said = await handed_over(Console("console", tmp_path), "Ton code :\n“1234”", try_=2, copy_possible=True)
    [line] = (tmp_path / FILE).read_text().splitlines()
    told = json.loads(line)
    assert (told["to"], told["text"], told["try"], told["copy"]) == (
        "+33612345678",
        "Ton code :\n“1234”",
        2,
        "possible",
    )
    assert isinstance(said, Accepted)
    assert (said.segments, said.encoding) == (told["segments"], told["encoding"]) == (1, "UCS-2")


async def test_long_texts_count_their_parts(tmp_path: Path) -> None:
    said = await handed_over(Console("console", tmp_path), "a" * 161)
    assert isinstance(said, Accepted) and (said.segments, said.encoding) == (2, "GSM-7")


async def test_a_disk_that_takes_nothing_is_no_end(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    said = await handed_over(Console("console", tmp_path / "logs"), "Hi.")
    assert isinstance(said, Unavailable) and said.reason == "provider_unavailable"


def settings(folder: Path, **more: str) -> Settings:
    return load(folder, {"DATABASE_URL": "postgresql://nobody@127.0.0.1/none", **more})


def test_the_first_provider_is_the_one_used(tmp_path: Path) -> None:
    told = settings(tmp_path)
    assert [provider(one, told).name for one in told.sms_providers] == ["console"]


def test_several_are_made_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "notifications.yml").write_text(
        """
notifications:
  sms:
    providers:
      - {name: main, type: twilio, account_sid: AC1, auth_token: secret, from: "+33700000000"}
      - {name: spare, type: console}
"""
    )
    told = settings(tmp_path)
    made = [provider(one, told) for one in told.sms_providers]
    assert [(one.name, type(one).__name__) for one in made] == [("main", "Twilio"), ("spare", "Console")]
