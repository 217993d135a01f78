"""What the gateway tells of jobs and webhooks, and what the doctor makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cli.doctor import flowing
from client.operations import JobSeen
from client.webhooks import Webhook

AT = datetime(2027, 3, 1, 2, tzinfo=UTC)


def job(**told: Any) -> JobSeen:
    given = {"id": "cleanup", "description": "", "services": ["gateway"], "status": "done"}
    return JobSeen.model_validate(given | told)


def webhook(**told: Any) -> Webhook:
    given = {"id": "7", "url": "https://example.org/hook", "events": [], "enabled": True, "version": 1}
    return Webhook.model_validate(given | told)


def test_a_job_that_failed_is_told_with_what_its_service_said() -> None:
    failed = job(status="failed", last_run=AT, last_result={"gateway": {"error": "the archive cannot be written"}})
    [told] = flowing.jobs([job(id="sweep"), failed])
    assert told.state == "trouble" and told.what == (
        "cleanup failed at 2027-03-01 02:00Z: gateway: the archive cannot be written"
    )
    assert "tocsin jobs run cleanup" in str(told.remedy)


def test_jobs_that_went_well_are_well() -> None:
    [told] = flowing.jobs([job(), job(status="waiting")])
    assert told.state == "ok"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"enabled": False, "disabled_why": "gone"}, "disabled: it answered 410"),
        ({"enabled": False, "disabled_why": "failing", "failing_since": AT}, "disabled: nothing arrived"),
        ({"failing_since": AT}, "since 2027-03-01 02:00Z"),
    ],
    ids=["gone", "given up", "failing"],
)
def test_a_webhook_that_gets_nothing_is_a_trouble(told: dict[str, Any], words: str) -> None:
    [finding] = flowing.webhooks([webhook(), webhook(**told)])
    assert finding.state == "trouble" and words in finding.what and "tocsin webhooks" in str(finding.remedy)


def test_webhooks_that_work_or_are_meant_to_be_off_are_well() -> None:
    off = webhook(enabled=False, disabled_why="by_admin", failing_since=AT)
    assert [one.state for one in flowing.webhooks([webhook(), off])] == ["ok"]
    assert [one.state for one in flowing.webhooks([])] == ["ok"]
