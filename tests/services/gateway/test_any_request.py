"""Whatever the document of the routes allows, and what it does not: every answer is one that it foresees."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from contracts.erasure import FORGET
from contracts.jobs import JOBS
from contracts.topics import ALL, SERVICES
from kit.control.running import Work
from kit.settings import KafkaSettings
from tests.kit.bus.support import make
from tests.kit.control.support import instance
from tests.services.gateway.conftest import ADMIN, settings_of
from tests.services.gateway.support import running
from tests.waiting import PATIENCE

EXAMPLES = 5
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
)


async def nothing(_: Mapping[str, Any]) -> Mapping[str, Any]:
    return {}


WORKS: dict[str, Work] = dict.fromkeys((FORGET.id, *JOBS), nothing)


def try_all(url: str) -> list[str]:
    """Each operation with requests that fit the document, and with ones that do not; what was wrong, if anything."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", timeout=PATIENCE)
    found = []
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                _try(operation, mode)
            except hypothesis.errors.Unsatisfiable:
                continue  # nothing about it can be wrong
            except (Exception, BaseExceptionGroup) as error:
                found.append(f"{operation.label} ({mode.value}): {error}")
    return found


def _try(operation: Any, mode: GenerationMode) -> None:
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    def holds(case: Any) -> None:
        if mode is GenerationMode.POSITIVE and "wait" in (case.query or {}):
            case.query["wait"] = 0  # half a minute for an outcome that nobody is there to bring
        case.call_and_validate(headers=ADMIN, checks=CHECKS, timeout=PATIENCE)

    holds()


async def test_every_answer_is_one_that_the_document_foresees(
    kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    """The same requests at every run. The other services are there, and answer what they are ordered."""
    await make(kafka, *ALL)
    async with AsyncExitStack() as stack:
        for service in set(SERVICES) - {"gateway"}:
            await stack.enter_async_context(instance(kafka, database, WORKS, service))
        settings = settings_of(kafka, database, tmp_path, notifications={"alerts": {"recipients": ["bob"]}})
        gateway = await stack.enter_async_context(running(settings, patience=5))
        found = await asyncio.to_thread(try_all, str(gateway.http.base_url))
    assert found == [], "\n\n".join(found)
