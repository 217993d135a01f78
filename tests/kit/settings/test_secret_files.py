"""A secret may lie in a file of its own; what is wrong with that is told before anything starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kit.settings import Settings, masked
from kit.settings.masking import is_hidden
from kit.settings.names import NAMES, SECRETS
from tests.kit.settings.support import SECRET, at, installed, problems

URL = f"postgresql://me:{SECRET}@h/d"


def file(folder: Path, text: str, name: str = "secret") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_every_secret_of_the_tree_can_lie_in_a_file() -> None:
    def is_secret(place: tuple[str, ...]) -> bool:
        model: Any = Settings
        for key in place[:-1]:
            model = {field.alias or own: field for own, field in model.model_fields.items()}[key].annotation
        return is_hidden(model, place[-1])

    assert {name for name, place in NAMES.items() if not name.endswith("_FILE") and is_secret(place)} == set(SECRETS)


@pytest.mark.parametrize("where", ["environ", "dotenv", "config"])
@pytest.mark.parametrize("name", SECRETS)
def test_it_is_read_from_there_without_its_last_line_end(tmp_path: Path, name: str, where: str) -> None:
    secret = URL if name == "DATABASE_URL" else SECRET
    values = {"SMTP_HOST": "m.example.org", "SMTP_FROM_EMAIL": "a@example.org"} if name.startswith("SMTP") else {}
    if name == "KAFKA_SASL_PASSWORD":
        values |= {
            "KAFKA_BOOTSTRAP_SERVERS": "k:9093",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_USERNAME": "me",
        }
    values |= {f"{name}_FILE": file(tmp_path, secret + "\r\n")}
    given: dict[str, Any] = {
        "environ": {"environ": values},
        "dotenv": {"dotenv": "".join(f"{key}={one}\n" for key, one in values.items())},
        "config": {"config": "".join(f"{key}: {one}\n" for key, one in values.items())},
    }[where]
    settings = installed(tmp_path, **given)
    assert at(settings, ".".join(NAMES[name])) == secret
    assert SECRET not in str(masked(settings))


def test_providers_of_a_list_have_theirs_in_files_too(tmp_path: Path) -> None:
    """A place that is not said in full lies below the installation."""
    file(tmp_path, SECRET, "gmail")
    config = "notifications: {email: {providers: [{name: g, type: gmail, username: me, password_file: gmail}]}}"
    [gmail] = installed(tmp_path, config=config).email_providers
    assert gmail.password == SECRET


@pytest.mark.parametrize(
    ("dotenv", "environ"),
    [
        ("", {"JWT_SECRET": SECRET, "JWT_SECRET_FILE": "jwt"}),
        (f"JWT_SECRET={SECRET}", {"JWT_SECRET_FILE": "jwt"}),
        ("JWT_SECRET_FILE=jwt", {"JWT_SECRET": SECRET}),
    ],
)
def test_both_are_one_too_many(tmp_path: Path, dotenv: str, environ: dict[str, str]) -> None:
    """Wherever each of them stands: nobody could say which one is meant."""
    file(tmp_path, SECRET, "jwt")
    [problem] = problems(tmp_path, dotenv=dotenv, environ=environ)
    said, _, other = problem.partition(": ")
    assert "JWT_SECRET_FILE" in said and "JWT_SECRET" in other
    assert other.endswith("gives the same. Keep one of them.") and SECRET not in problem


def test_a_file_that_is_missing_empty_no_text_or_a_folder_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name, said in (
        ("not/there", "there is no file not/there. Put the secret into it, or take the setting out."),
        (file(tmp_path, "\n", "empty"), "empty is empty. Put the secret into it"),
        ("binary", "binary cannot be read: it is no text in UTF-8. Make it"),
        (".", "cannot be read: Is a directory. Make it a text file that we may read."),
    ):
        [problem] = problems(tmp_path, environ={"JWT_SECRET_FILE": name})
        assert problem.startswith("environment variable JWT_SECRET_FILE: ") and said in problem


def test_what_a_file_holds_is_judged_like_what_is_written_and_never_shown(tmp_path: Path) -> None:
    [short] = problems(tmp_path, environ={"JWT_SECRET_FILE": file(tmp_path, "short")})
    assert "JWT_SECRET has fewer than 32 characters" in short
    [lines] = problems(tmp_path, environ={"JWT_SECRET_FILE": file(tmp_path, f"{SECRET}\n{SECRET}")})
    assert lines.startswith(f"environment variable JWT_SECRET_FILE, the file {tmp_path}{os.sep}secret: ")
    assert "one line of text" in lines and SECRET not in lines
    [url] = problems(tmp_path, environ={"DATABASE_URL_FILE": file(tmp_path, f"mysql://me:{SECRET}@h/d")})
    assert "a URL that starts with postgresql://" in url and SECRET not in url
