"""`tocsin schedule`, a schedule's life from the shell."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Place

pytestmark = pytest.mark.asyncio(loop_scope="module")

CREATE = (
    "schedule",
    "create",
    "--cron",
    "30 2 * * *",
    "--time-zone",
    "Europe/Paris",
    "--user",
    "ann",
    "--body",
    "water",
)


async def test_its_life(place: Place) -> None:
    """Made, listed, shown, switched off and on, run, and gone; each as JSON and for people."""
    made = await place.tocsin(*CREATE, "--name", "plants", "--to", "delivered@simulator.test", "--json")
    assert made.code == 1 and "the channel inapp needs user_id" in made.err
    made = await place.tocsin(*CREATE, "--name", "plants")
    id = made.out.strip()
    assert made.code == 0, made.err
    listed = await place.until(id, "schedule", "list", "--json")
    assert [one["id"] for one in listed.json["schedules"]] == [id]
    assert "plants" in (await place.tocsin("schedule", "list")).out
    assert (await place.tocsin("schedule", "show", id, "--json")).json["cron"] == "30 2 * * *"
    off = await place.tocsin("schedule", "disable", id, "--json")
    assert off.json["enabled"] is False and off.json["version"] == 2
    assert (await place.tocsin("schedule", "enable", id, "--json")).json["enabled"] is True
    run = await place.tocsin("schedule", "run", id)
    assert run.code == 0 and len(run.out.split()) == 1
    assert (await place.tocsin("schedule", "delete", id, "--json")).json["deleted"] is True
    gone = await place.until("no such schedule", "schedule", "show", id)
    assert gone.code == 1


async def test_a_preview_of_what_is_not_there_yet(place: Place) -> None:
    """And a cron that is none is explained."""
    shown = await place.tocsin("schedule", "preview", "--cron", "0 8 * * 5L", "-n", "3", "--json")
    assert len(shown.json["firings"]) == 3 and shown.json["time_zone"] == "Europe/Paris"
    wrong = await place.tocsin("schedule", "preview", "--cron", "0 8 * * FRI#L")
    assert wrong.code == 1 and "5L" in wrong.err
    nothing = await place.tocsin("schedule", "preview")
    assert nothing.code == 1 and "--cron" in nothing.err
