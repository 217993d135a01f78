"""The list of topics is the map of the system: walked from end to end, it has no gap."""

import pytest

from contracts import events as e
from contracts import topics
from contracts.status import Channel, End, Lane
from contracts.topics import ANYONE, SERVICES, Topic
from tests.contracts.golden import everything, golden

every_topic = pytest.mark.parametrize("topic", topics.ALL, ids=lambda topic: topic.name)


def test_names_are_unique() -> None:
    assert len(topics.BY_NAME) == len(topics.ALL)


@every_topic
def test_a_topic_is_written_and_read_by_known_services(topic: Topic) -> None:
    assert topic.events
    assert topic.writers
    assert topic.readers
    assert set(topic.writers) <= {*SERVICES, ANYONE}
    assert set(topic.readers) <= set(SERVICES)
    assert topic.outside == (ANYONE in topic.writers)


@every_topic
def test_p7_one_of_its_readers_reports_its_poison(topic: Topic) -> None:
    assert topic.reporter in topic.readers


@every_topic
def test_keys_begin_with_the_tenant(topic: Topic) -> None:
    assert topic.key.startswith("tenant/")


@every_topic
def test_p8_a_log_is_kept_shorter_than_claims_are(topic: Topic) -> None:
    assert topic.retention_ms <= 7 * topics.DAY_MS


EVENTS = list(dict.fromkeys(event for topic in topics.ALL for event in topic.events))


@pytest.mark.parametrize("event", EVENTS, ids=lambda m: m.ce_type)
def test_an_event_has_an_example_on_a_topic_that_carries_it(event: type[e.Event]) -> None:
    for one in golden(event.ce_type):
        assert one.topic.carries(event.ce_type) is event


def test_every_example_lies_on_the_topic_it_would_be_published_to() -> None:
    for one in everything():
        if not one.name.startswith("outside.") and one.name != "tocsin.tombstone":
            assert topics.of_event(one.read()) is one.topic, one.what


@pytest.mark.parametrize("topic", topics.ALL, ids=lambda topic: topic.name)
def test_who_reads_a_topic_has_a_group_there_and_nobody_else_may(topic: topics.Topic) -> None:
    """Who may read on Kafka is made from `readers`: one too many could see everybody's addresses."""
    groups = {group.name.partition(".")[0] for group in topics.GROUPS if topic in group.topics}
    assert groups == set(topic.readers)


def test_the_topic_is_the_lane() -> None:
    for lane in Lane:
        assert topics.REQUESTED[lane].lane is lane
        assert topics.DUE[Channel.EMAIL, lane].lane is lane


def test_lanes_are_read_most_urgent_first() -> None:
    assert [topic.lane for topic in topics.due_lanes(Channel.SMS)] == [Lane.URGENT, Lane.NORMAL, Lane.BULK]


def test_p1_a_cancel_takes_the_urgent_lane_and_ripe_that_of_its_notification() -> None:
    [cancel, *_] = golden("tocsin.cancel")
    [ripe] = golden("tocsin.ripe")
    bulk = ripe.read(lane="bulk")
    assert topics.of_event(cancel.read()) is topics.REQUESTED[Lane.URGENT]
    assert topics.of_event(bulk) is topics.REQUESTED[Lane.BULK]


def test_p3_4_an_end_overtakes_in_the_urgent_lane() -> None:
    due = golden("tocsin.due")[0].read(lane="bulk")
    assert isinstance(due, e.Due)
    ended = due.model_copy(update={"end": End.CANCELLED})
    assert topics.of_event(due) is topics.DUE[Channel.EMAIL, Lane.BULK]
    assert topics.of_event(ended) is topics.DUE[Channel.EMAIL, Lane.URGENT]
