"""The settings in force: the environment before `.env`, before the YAML file, before the defaults."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from kit.settings.contradictions import contradictions
from kit.settings.follows import with_what_follows
from kit.settings.names import CONFIG_FILE
from kit.settings.problems import SettingsError
from kit.settings.secret_files import with_secrets_read
from kit.settings.source import Source
from kit.settings.tree import DERIVED, Settings
from kit.settings.variables import from_dotenv, from_environment
from kit.settings.wording import sentences
from kit.settings.yaml_file import from_yaml

DEFAULT_FILE: Final = "config/notifications.yml"


def load(root: Path, environ: Mapping[str, str]) -> Settings:
    """Read the settings of the installation in `root`.

    Raises SettingsError with every problem at once: unknown keys with the nearest known one, wrong values with the
    place they were written in, what was expected and what to do.
    """
    written = _configured(root, environ)
    written.overlay(from_dotenv(root / ".env", ".env"))
    written.overlay(from_environment(environ))
    with_secrets_read(written, root)
    problems = written.problems + _derived_keys(written)
    tree, warnings = with_what_follows(written.tree, root)
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(problems + list(sentences(error, tree, written.origins))) from None
    problems += contradictions(settings)
    if problems:
        raise SettingsError(problems)
    return settings.model_copy(update={"warnings": tuple(written.warnings + warnings)})


def need(value: str | None, name: str) -> str:
    """A setting that may be missing until someone needs it; raises SettingsError that tells how to set it."""
    if value is None:
        raise SettingsError([f"{name} is not set. Set it in .env, or run `make run`, which makes one."])
    return value


def _configured(root: Path, environ: Mapping[str, str]) -> Source:
    """The file TOCSIN_CONFIG names, which must be there; else config/notifications.yml, which may be missing."""
    named = environ.get(CONFIG_FILE)
    file = root / (named or DEFAULT_FILE)
    if file.is_file():
        return from_yaml(file, named or DEFAULT_FILE)
    missing = f"environment variable {CONFIG_FILE} names {named}, which is not there. Make the file or unset it."
    return Source(problems=[missing] if named else [])


def _derived_keys(written: Source) -> list[str]:
    """What we work out ourselves is no one else's to set."""
    found = sorted(DERIVED & written.tree.keys())
    for key in found:
        del written.tree[key]
    return [f"{written.origins[(key,)]}: unknown key `{key}`. Take it out." for key in found]
