"""`tocsin template`: what notifications say, from files that people edit."""

from __future__ import annotations

import json as encoding
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.gateway import DEVELOPER, As, Tenant, Token, Url, gateway
from cli.output import PATIENCE, Json, Progress, as_shown, emit, listed, table
from cli.template_folder import folders, read
from client.errors import NotFound
from client.templates import Preview, Template, Templates
from deploy.local.trouble import Trouble

Name = Annotated[str, typer.Argument(help="Which one; `tocsin template list` names them.")]
Version = Annotated[int | None, typer.Option("--version", help="Another version than the one in force.")]

app = typer.Typer(no_args_is_help=True)


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="The folder of a template, or one with such folders in it.")],
    user: As = DEVELOPER,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Put templates in force from their folders; what is as it was makes no new version."""
    written = {one.resolve().name: read(one) for one in folders(folder)}
    done: list[dict[str, Any]] = []
    with gateway(user, "admin", url=url, token=token, tenant=tenant) as tocsin, Progress(PATIENCE) as progress:
        for name, body in written.items():
            done.append(_put(Templates(tocsin), name, body))
            progress.progress("templates", len(done), len(written))
    rows = [(one["template"], "new" if one["changed"] else "unchanged") for one in done]
    emit({"templates": done}, as_json=json, people=lambda: table(("template", ""), rows))


@app.command("list")
def list_(
    user: As = DEVELOPER, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False
) -> None:
    """Show the names, and the version that each stands for."""
    with gateway(user, "service", url=url, token=token, tenant=tenant) as tocsin:
        found = list(Templates(tocsin).all())
    listed("templates", found, ("name", "version"), lambda one: (one.name, one.version), as_json=json)


@app.command()
def show(
    name: Name,
    version: Version = None,
    user: As = DEVELOPER,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show a template as it was written."""
    with gateway(user, "service", url=url, token=token, tenant=tenant) as tocsin:
        found = Templates(tocsin).get(name, version)
    emit(as_shown(found), as_json=json, people=lambda: _parts(found))


@app.command()
def preview(
    name: Name,
    data: Annotated[str, typer.Option("--data", help="A file of JSON, or - for standard input.")],
    channel: Annotated[Literal["email", "sms", "inapp"], typer.Option("--channel", help="By which way.")] = "email",
    locale: Annotated[str | None, typer.Option("--locale", help="For whom, like fr-CA.")] = None,
    html: Annotated[bool, typer.Option("--html", help="Print the HTML instead of the text.")] = False,
    version: Version = None,
    user: As = DEVELOPER,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show what a notification with this data would say."""
    filled = _data(data)
    with gateway(user, "service", url=url, token=token, tenant=tenant) as tocsin:
        found = Templates(tocsin).preview(name, filled, channel=channel, locale=locale, version=version)
    emit(as_shown(found), as_json=json, people=lambda: _mail(found, html))


def _put(templates: Templates, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """A new version, unless it says the same; of two who import at once, one is told so (412)."""
    try:
        there = templates.get(name)
    except NotFound:
        return {"template": templates.put(name, **body).template, "changed": True}
    if there.written == body:
        return {"template": there.template, "changed": False}
    return {"template": templates.put(name, version=there.version, **body).template, "changed": True}


def _data(file: str) -> dict[str, Any]:
    try:
        value = encoding.loads(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise Trouble(f"{file} cannot be read ({error.strerror})", "--data is a file of JSON, or -") from None
    except ValueError as error:
        raise Trouble(f"{file} is not JSON ({error})", """write it like {"name": "Ann"}""") from None
    if not isinstance(value, dict):
        raise Trouble(f"{file} holds no JSON object", """write it like {"name": "Ann"}""")
    return value


def _parts(found: Template) -> None:
    print(f"{found.template}  needs {', '.join(found.required) or 'nothing'}")
    written = found.written
    languages = {"": written, **written.get("locales", {})}
    for locale, texts in languages.items():
        for part in ("subject", "text", "html", "sms", "inapp"):
            if part in texts:
                print(f"\n--- {locale + ' ' if locale else ''}{part}\n{texts[part].rstrip()}")


def _mail(found: Preview, html: bool) -> None:
    if found.subject is not None:
        print(f"Subject: {found.subject}\n")
    print(((found.html if html else found.text) or "").rstrip())
