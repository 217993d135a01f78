"""Where a provider cannot call back, it is asked: what became of a text message shows all the same (P5.9)."""

from __future__ import annotations

import pytest

from tests.journeys.stack import Stack
from tests.journeys.test_first_journeys import events
from tests.journeys.test_simulators import stack, twilio
from tests.services.sms_sender.twilio_server import TwilioServer

__all__ = ["stack", "twilio"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("became", "status", "detail"),
    [(("delivered", None), "delivered", None), (("undelivered", 30005), "undelivered", "30005")],
)
async def test_p5_9_twilio_is_asked_what_became_of_it(
    stack: Stack, twilio: TwilioServer, became: tuple[str, int | None], status: str, detail: str | None
) -> None:
    """TOCSIN_PUBLIC_URL is this machine alone: no callback was asked for."""
    twilio.became = became
    asked = await stack.post({"channel": "sms", "to": "+33612345678", "body": "Votre colis est arrivé."})
    done = await stack.wait_for(asked["id"], lambda seen: seen["status"] == status)
    assert events(done) == ["accepted", "sent", status]
    assert done["timeline"][-1].get("detail") == detail
    assert [line.get("provider_id", "")[:2] for line in done["timeline"]] == ["", "SM", "SM"]
    assert "StatusCallback" not in twilio.messages[-1]
