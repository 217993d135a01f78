"""The `tocsin` command: each command is a function in a module of its own, named here."""

from __future__ import annotations

import typer

from cli import (
    archive,
    audit,
    backup,
    bench,
    channels,
    config,
    database,
    deadline,
    failed,
    jobs,
    keys,
    providers,
    schedule,
    send,
    stack,
    status,
    suppressions,
    template,
    tokens,
    topics,
    watch,
    webhooks,
)
from cli.doctor import command as doctor
from cli.output import sentences

app = typer.Typer(
    name="tocsin",
    help="Event-driven notifications and reminders on Kafka.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.command()(stack.up)
app.command()(stack.down)
app.command()(status.status)
app.command()(doctor.doctor)
app.command()(tokens.token)
app.command()(send.send)
app.command()(watch.watch)
app.command()(topics.topics)
app.command()(audit.audit)
app.command()(database.migrate)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(bench.bench)
app.add_typer(schedule.app, name="schedule", help="What comes again and again.")
app.add_typer(deadline.app, name="deadline", help="Things with a due date, and who is reminded of them when.")
app.add_typer(failed.app, name="failed", help="What did not arrive, and sending it again.")
app.add_typer(template.app, name="template", help="What notifications say, per channel and language.")
app.add_typer(jobs.app, name="jobs", help="What runs by itself every day, and running it now.")
app.add_typer(archive.app, name="archive", help="What was cleaned up, and finding it again.")
app.add_typer(providers.app, name="providers", help="Who carries messages out: how each does, pause, resume, test.")
app.add_typer(webhooks.app, name="webhooks", help="Other systems that are told what becomes of notifications.")
app.add_typer(channels.app, name="channels", help="A whole channel: whether it is open, pause, resume.")
app.add_typer(suppressions.app, name="suppressions", help="Addresses to which nothing is sent, and why; lifting them.")
app.add_typer(keys.app, name="keys", help="Keys for programs: make, list, revoke.")
app.add_typer(config.app, name="config", help="The settings in force, and whether they are good.")


def main() -> None:
    """The entry point of the installed program."""
    with sentences():
        app(prog_name="tocsin")


if __name__ == "__main__":
    main()
