"""`tocsin config`: the settings in force, and whether they are good."""

from __future__ import annotations

import os

import typer
import yaml

from cli.output import Json, emit
from cli.place import root
from kit.settings import SettingsError, load, masked, missing_extras

app = typer.Typer(no_args_is_help=True)


@app.command()
def show(json: Json = False) -> None:
    """Print the settings in force, from all places together, with secrets hidden."""
    tree = masked(load(root(), os.environ))
    emit(tree, as_json=json, people=lambda: print(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True), end=""))


@app.command()
def check(json: Json = False) -> None:
    """Say everything that is wrong with the settings; exit code 1 when something is."""
    try:
        settings = load(root(), os.environ)
        warnings, problems = list(settings.warnings), missing_extras(settings)
    except SettingsError as error:
        warnings, problems = [], error.problems

    def tell() -> None:
        for text in (*problems, *(f"note: {warning}." for warning in warnings)):
            print(text)
        if not problems:
            print(f"The settings of {root()} are good.")

    emit({"ok": not problems, "problems": problems, "warnings": warnings}, as_json=json, people=tell)
    if problems:
        raise typer.Exit(1)
