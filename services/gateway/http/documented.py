"""OpenAPI for routes that read their bodies themselves: what FastAPI cannot see is said here."""

from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from services.gateway.http.problems import MEDIA_TYPE, ProblemBody

REF: Final = "#/components/schemas/{model}"

TITLE: Final = "Tocsin"
SUMMARY: Final = "Tell this person this, now or at that time; and see what became of it."
DESCRIPTION: Final = """
Get a token on the machine where Tocsin runs: `tocsin token --user alice`, press **Authorize**, paste it, and send your
first notification below. Addresses at `simulator.test` reach nobody: `delivered@simulator.test` arrives,
`bounce@simulator.test` is sent and comes back as undelivered.

Every error is a problem (RFC 9457) with a stable `code`; `errors` names the fields. What is not yours is 404.

The same by Kafka, and what is said there, in any language: [AsyncAPI](/asyncapi.json), and for each event
[a JSON Schema and an example](/schemas).
""".strip()

_PROBLEMS = {
    401: "No token, or one that cannot be used",
    403: "Known, but not allowed",
    404: "Not there, or not yours",
    409: "It is not in a state in which this can be done",
    412: "It is not the version of `If-Match` any more",
    413: "The body is too large",
    422: "Something in the request cannot be used",
    429: "Too many at once, or more calls than one may make in a minute; `Retry-After` says when to come back",
    503: "The database or Kafka is away for the moment; `Retry-After` says when to come back",
}


def takes(model: type[BaseModel], example: dict[str, Any] | None = None) -> dict[str, Any]:
    """The body of a route, for `openapi_extra`."""
    content: dict[str, Any] = {"schema": {"$ref": REF.format(model=model.__name__)}}
    if example:
        content["example"] = example
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def parameter(name: str, sentence: str, where: str = "query", **schema: Any) -> dict[str, Any]:
    """One parameter of a route, for `openapi_extra`."""
    kind = schema or {"type": "string"}
    return {"name": name, "in": where, "required": False, "description": sentence, "schema": kind}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems a route may answer, for `responses`."""
    told = sorted((401, 429, *statuses))
    return {status: {"description": _PROBLEMS[status], "content": _problem()} for status in told}


def _problem() -> dict[str, Any]:
    return {MEDIA_TYPE: {"schema": {"$ref": REF.format(model=ProblemBody.__name__)}}}


def document(app: FastAPI, bodies: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """The whole document; `bodies` are the models that routes read by themselves."""
    found = get_openapi(
        title=TITLE,
        version=app.version,
        summary=SUMMARY,
        description=DESCRIPTION,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    models = [(model, "validation") for model in (*bodies, ProblemBody)]
    _, extra = models_json_schema(models, ref_template=REF)  # type: ignore[arg-type]
    components = found.setdefault("components", {})
    components["schemas"] = _together(components.get("schemas", {}), extra["$defs"])
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    found["security"] = [{"bearer": []}]
    _give_examples(found)
    return found


TRIED_WITH: Final = {
    "user_id": "bob",
    "name": "welcome",
    "job_id": "sweep",
    "to": "delivered@simulator.test",
    "group": "order-17",
    "cron": "0 8 * * mon-fri",
    "time_zone": "Europe/Paris",
}
"""What `/docs` fills in where something is needed, so that a route can be tried without a thought."""


def _give_examples(document: dict[str, Any]) -> None:
    for methods in document["paths"].values():
        for operation in methods.values():
            for one in operation.get("parameters", ()):
                if one["name"] in TRIED_WITH and one.get("required"):
                    one.setdefault("example", TRIED_WITH[one["name"]])


def _together(answers: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """All models by their names; one that is both, as it is asked for. Raises ValueError where two have one name: one
    would stand for both."""
    if twice := [name for name in answers.keys() & asked.keys() if _fields(answers[name]) != _fields(asked[name])]:
        raise ValueError(f"two models are called {', '.join(sorted(twice))}")
    return dict(sorted((answers | asked).items()))


def _fields(schema: dict[str, Any]) -> set[str]:
    return set(schema.get("properties", ()))
