"""Writes deploy/local/kafka.lock anew: `python scripts/lock_kafka.py 4.4.0`, after a look at the release notes."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from jgo.maven import Artifact, MavenContext, PythonResolver
from jgo.parse import Coordinate

from deploy.local.jars import LOCK, sha256

HEAD = """\
# Apache Kafka {version} and all it needs, as Maven resolves it, with log4j's bridge (without which it logs nothing).
# Made by scripts/lock_kafka.py. The sums are checked before Java starts.
"""


def resolved(context: MavenContext, version: str) -> list[Artifact]:
    """Kafka's own and transitive artifacts, and the bridge in the version of log4j that comes with them."""
    coordinate = replace(Coordinate.parse(f"org.apache.kafka:kafka_2.13:{version}"), scope="compile")
    kafka = context.create_dependency(coordinate)
    own, transitive = context.resolver.resolve([kafka])
    found = [one.artifact for one in [*own, *transitive] if one.scope in ("compile", "runtime")]
    log4j = next(one.version for one in found if one.artifactId == "log4j-core")
    bridge = context.project("org.apache.logging.log4j", "log4j-slf4j-impl").at_version(log4j)
    return [*found, bridge.artifact()]


def main(version: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(resolver=PythonResolver(), repo_cache=Path(folder), timeout=30)
        rows = [
            f'\n[[dependencies]]\ngroupId = "{one.groupId}"\nartifactId = "{one.artifactId}"\n'
            f'version = "{one.version}"\nsha256 = "{sha256(one.resolve())}"\n'
            for one in sorted(resolved(context, version), key=lambda one: (one.groupId, one.artifactId))
        ]
    LOCK.write_text(HEAD.format(version=version) + "".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
