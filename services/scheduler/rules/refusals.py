"""What Kafka refuses for what it is would be refused every time: it ends (P4.2)."""

from typing import Any

from contracts import events as e
from contracts.status import Status


def refused(word: e.OfNotification, why: Exception, **more: Any) -> e.Failed:
    """The end of the notification that this word was about; `more` are fields of its own, such as the try."""
    said = {"reason": "refused_by_kafka", "detail": f"Kafka refuses it: {type(why).__name__}"} | more
    return e.Failed(**word.passed_on(), outcome=Status.FAILED, **said)
