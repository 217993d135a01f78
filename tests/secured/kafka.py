"""A Kafka that lets nobody in without a password or a certificate, and does nothing for whom it was not told to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from aiokafka.protocol.admin import CreateAclsRequest

from deploy.local.kafka import Kafka
from deploy.local.ports import LOOPBACK, free_port
from kit.bus.admin import administrator
from kit.settings import KafkaSettings
from tests.secured.certificates import Authority
from tests.servers import CACHE, PARTITIONS, LastingKafka, Session

# The numbers of Kafka's protocol, https://kafka.apache.org/protocol#The_Messages_CreateAcls
KINDS: Final = {"topic": 2, "group": 3}
OPERATIONS: Final = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8}
LITERAL: Final = 3
ALLOW: Final = 3


class SecuredKafka(LastingKafka):
    """Three doors: `password` (SASL over TLS), `certificate` (TLS on both sides), and the plain one, which is the
    broker's own and may do everything. `users` have passwords (SCRAM of both lengths, and PLAIN)."""

    def __init__(self, state: Path, authority: Authority, users: Mapping[str, str]) -> None:
        super().__init__(state, port=free_port(), cache=CACHE, partitions=PARTITIONS)
        self.authority = authority
        self.users = users
        self.doors = {name: f"{LOOPBACK}:{free_port()}" for name in ("password", "certificate")}
        self._own = authority.identity("kafka")

    def settings(self, door: str, **more: object) -> KafkaSettings:
        """How to come in by this door."""
        protocol = {"password": "SASL_SSL", "certificate": "SSL"}[door]
        told = {"ssl_ca_location": self.authority.ca, "security_protocol": protocol, "partitions": PARTITIONS}
        return KafkaSettings.model_validate(told | {"bootstrap_servers": self.doors[door]} | more)

    def _java(self, main: str, *arguments: str) -> list[str]:
        scram = [
            part
            for kind in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for name, password in self.users.items()
            for part in ("--add-scram", f"{kind}=[name={name},password={password}]")
        ]
        return super()._java(main, *arguments, *(scram if "format" in arguments else ()))

    def _configure(self, name: str, data: Path) -> Path:
        file = super()._configure(name, data)
        text = file.read_text(encoding="ascii")
        doors = "".join(f",{door.upper()}://{address}" for door, address in self.doors.items())
        text = re.sub(r"^((?:advertised\.)?listeners=.*)$", rf"\1{doors}", text, flags=re.MULTILINE)
        text = text.replace("CLIENT:PLAINTEXT", "CLIENT:PLAINTEXT,PASSWORD:SASL_SSL,CERTIFICATE:SSL")
        plain = " ".join(f'user_{name}="{password}"' for name, password in self.users.items())
        more = MORE.format(both=self._own.both, ca=self.authority.ca, plain=plain)
        file.write_text(text + more, encoding="ascii")
        return file


async def allow(kafka: Kafka, options: Iterable[str]) -> None:
    """What `tocsin topics --acls` prints, done as kafka-acls.sh does it: with the broker's own rights."""
    async with administrator(KafkaSettings(bootstrap_servers=kafka.address)) as client:
        for one in options:
            [user] = re.findall(r"--allow-principal (\S+)", one)
            for kind, name in re.findall(r"--(topic|group) (\S+)", one):
                for operation in re.findall(r"--operation (\S+)", one):
                    request = CreateAclsRequest(KINDS[kind], name, LITERAL, user, "*", OPERATIONS[operation], ALLOW)
                    answer = await client._send_request(request)
                    assert all(code == 0 for code, _ in answer.creation_responses), answer


def started(session: Session, users: Mapping[str, str]) -> SecuredKafka:
    """Such a Kafka, running; it ends with the session."""
    folder = session.new_folder("secured")
    kafka = session.keep(SecuredKafka(folder / "kafka", Authority(folder), users))
    kafka.start()
    return kafka


MORE: Final = """
ssl.keystore.type=PEM
ssl.keystore.location={both}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
listener.name.certificate.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=(.*)$/$1/
listener.name.password.sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN
listener.name.password.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.password.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.password.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required {plain};
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
