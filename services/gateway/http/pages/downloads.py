"""The language of the events, to take away: AsyncAPI, JSON Schemas and examples, for programs in any language."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import contracts
from services.gateway.http.pages.files import EVERYWHERE, File, route

CONTRACTS: Final = Path(contracts.__file__).parent
JSON: Final = "application/json"
KINDS: Final = ("schemas", "examples")


def routes() -> list[Route]:
    """Where they are found; nobody needs a token: they say nothing of an installation. A client that has one already is
    told so (ETag). `/schemas` lists them all."""
    found = {path.relative_to(CONTRACTS): path for kind in KINDS for path in sorted((CONTRACTS / kind).glob("*.json"))}
    files = {str(name): File.of(path.read_bytes(), JSON, EVERYWHERE) for name, path in found.items()}
    document = File.of((CONTRACTS / "asyncapi.json").read_bytes(), JSON, EVERYWHERE)
    index = File.of(json.dumps(listed(found), indent=1).encode(), JSON, EVERYWHERE)
    return [route("/asyncapi.json", document), route("/schemas", index), *(_room(kind, files) for kind in KINDS)]


def _room(kind: str, files: Mapping[str, File]) -> Route:
    async def serve(request: Request) -> Response:
        file = files.get(f"{kind}/{request.path_params['name']}")
        if file is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return file.answer(request)

    return Route(f"/{kind}/{{name}}", serve, include_in_schema=False)


def listed(found: dict[Path, Path]) -> dict[str, object]:
    """By event: where its schema is, and its example."""
    names = sorted({name.stem for name in found})
    items = [
        {"event": name} | {kind[:-1]: f"/{kind}/{name}.json" for kind in KINDS if _is_there(kind, name, found)}
        for name in names
    ]
    return {"asyncapi": "/asyncapi.json", "openapi": "/openapi.json", "items": items}


def _is_there(kind: str, name: str, found: dict[Path, Path]) -> bool:
    return Path(kind, f"{name}.json") in found
