"""Topics are there, with their settings, whoever was first."""

import asyncio

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts.topics import ALL, FAILED, RECIPIENTS, SCHEDULED, SETTINGS, Topic
from kit.bus.admin import administrator, partitions
from kit.bus.served import served
from kit.bus.topics import TopicKeeper, configuration
from kit.settings import KafkaSettings
from tests.kit.bus.support import IDS, led, say, until_true


async def settings_of(kafka: KafkaSettings, topic: Topic) -> dict[str, str]:
    async with administrator(kafka) as client:
        [answer] = await client.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, kafka.topic_prefix + topic.name)]
        )
    return {name: value for name, value, *_ in answer.resources[0][4]}


async def test_missing_topics_are_made_with_their_settings(kafka: KafkaSettings) -> None:
    """LogAppendTime and cleanup as the list of topics says; busy ones with many partitions."""
    keeper = TopicKeeper(kafka)
    await keeper.start()
    await until_true(lambda: led(kafka, ALL))
    names = {kafka.topic_prefix + topic.name: topic for topic in ALL}
    async with administrator(kafka) as client:
        there = await partitions(client, names)
    assert {name: len(places) for name, places in there.items()} == {
        name: kafka.partitions if topic.busy else 1 for name, topic in names.items()
    }
    assert await keeper.look() == []
    for topic in (SCHEDULED, RECIPIENTS, FAILED, SETTINGS):
        said = await settings_of(kafka, topic)
        assert configuration(topic, kafka.replication).items() <= said.items()
    await keeper.stop()


async def test_several_services_make_them_at_once(kafka: KafkaSettings) -> None:
    """One is first; for the others the topic exists, which is what they wanted."""
    made = await asyncio.gather(*(TopicKeeper(kafka, [SCHEDULED, RECIPIENTS]).look() for _ in range(5)))
    assert sorted(name for some in made for name in some) == sorted(
        kafka.topic_prefix + topic.name for topic in (SCHEDULED, RECIPIENTS)
    )


async def test_a_topic_that_is_gone_is_made_again(kafka: KafkaSettings) -> None:
    """Deleted while the service runs: there again after a moment, and empty."""
    keeper = TopicKeeper(kafka, [SCHEDULED], every=0.1)
    await keeper.start()
    await say(kafka, SCHEDULED, IDS[:9])

    async def empty() -> bool:
        return await served(kafka, "nobody", [SCHEDULED]) is not None

    assert not await empty()
    async with administrator(kafka) as client:
        await client.delete_topics([kafka.topic_prefix + SCHEDULED.name])
    await until_true(empty)
    await keeper.stop()


async def test_kafka_away_is_waited_for() -> None:
    """A start without Kafka is a start all the same."""
    keeper = TopicKeeper(KafkaSettings(bootstrap_servers="127.0.0.1:1"), every=0.01)
    await keeper.start()
    assert keeper.task is not None
    assert not keeper.task.done()
    await keeper.stop()


def test_compacted_topics_forget_late_and_compact_early() -> None:
    """A tombstone is there for 30 days; what it erases is gone within one."""
    said = configuration(RECIPIENTS, 3)
    assert (said["delete.retention.ms"], said["max.compaction.lag.ms"]) == ("2592000000", "86400000")
    assert said["min.insync.replicas"] == "2"
    assert configuration(FAILED, 1)["min.insync.replicas"] == "1"
