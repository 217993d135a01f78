"""`tocsin template`, from files to what would be sent; and the samples, each in both languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.template_folder import folders, read
from contracts.status import Channel
from contracts.template import TemplateRequest
from deploy.local.trouble import Trouble
from kit.rendering import Template
from kit.rendering.checking import problems
from kit.rendering.plain import made_from
from services.gateway.rules.templating import tried
from tests.cli.conftest import Place
from tests.lint.tree import ROOT

SAMPLES = ROOT / "templates"
KINDS = {"dossier_update", "new_alert", "deadline_reminder", "daily_report"}
NAMES = KINDS | {"welcome", "digest"}


@pytest.mark.parametrize("folder", folders(SAMPLES), ids=lambda one: one.name)
def test_each_sample_says_something_in_both_languages(folder: Path) -> None:
    """By every channel; and what it says differs."""
    asked = TemplateRequest.model_validate(read(folder))
    assert list(problems(asked)) == [] and set(asked.locales) == {"fr"}
    value = asked.model_dump(exclude_none=True)
    for texts in (value, value["locales"]["fr"]):
        texts["plain"] = made_from(texts["html"])
    data = json.loads((folder / "sample.json").read_text())
    for channel in Channel.EMAIL, Channel.SMS, Channel.INAPP:
        english, french = (tried(Template.of(value), channel, locale, data) for locale in ("en-GB", "fr-FR"))
        assert english.text and french.text and english.text != french.text
        assert "{" not in english.text + french.text and (channel is not Channel.EMAIL or english.html)


def test_there_is_a_sample_for_every_kind_of_the_seeds() -> None:
    assert {one.name for one in folders(SAMPLES)} == NAMES


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("fr.htm", "x", "fr.htm: nobody knows what that is"),
        ("template.yml", "subject: {{ name }}", "is no YAML"),
        ("template.yml", "- a", "is no list of names and values"),
        ("template.yml", "defualt: fr", "unknown defualt"),
        ("template.yml", "default: de", "nothing is in the language “de”"),
        ("template.yml", "subject: 3", "subject is no text per language"),
        ("template.yml", "required: name", "required is no list of names"),
    ],
)
def test_a_file_that_is_wrong_is_named(folder: Path, name: str, text: str, says: str) -> None:
    for file, content in {"template.yml": "default: fr", "fr.txt": "salut", name: text}.items():
        (folder / file).write_text(content)
    with pytest.raises(Trouble, match=says):
        read(folder)


def test_a_folder_without_templates_is_said_so(folder: Path) -> None:
    for place in (folder, folder / "nowhere"):
        with pytest.raises(Trouble):
            folders(place)


@pytest.mark.asyncio(loop_scope="module")
async def test_from_files_to_what_would_be_sent(place: Place) -> None:
    """Imported, listed, shown, tried out; each as JSON and for people. Imported again, only what has changed is new."""
    done = await place.tocsin("template", "import", str(SAMPLES), "--json")
    assert done.code == 0, done.err
    assert {one["template"] for one in done.json["templates"]} == {f"{name}@1" for name in NAMES}
    again = await place.tocsin("template", "import", str(SAMPLES / "welcome"))
    assert again.out.split() == ["template", "welcome@1", "unchanged"], again.err
    assert len((await place.tocsin("template", "list", "--json")).json["templates"]) == len(NAMES)
    assert "daily_report" in (await place.tocsin("template", "list")).out
    shown = await place.tocsin("template", "show", "welcome")
    assert "welcome@1  needs name, link" in shown.out and "--- fr subject" in shown.out
    data = str(SAMPLES / "welcome" / "sample.json")
    seen = await place.tocsin("template", "preview", "welcome", "--data", data, "--locale", "fr-CA")
    assert seen.out.startswith("Subject: Bienvenue, Zoé\n") and "Votre compte est prêt." in seen.out
    html = await place.tocsin(
        "template", "preview", "welcome", "--data", "-", "--html", stdin='{"name": "<b>", "link": ""}'
    )
    assert "&lt;b&gt;" in html.out and "<p>" in html.out
    missing = await place.tocsin("template", "preview", "welcome", "--data", "-", "--json", stdin="{}")
    assert missing.code == 1 and "the template needs name, link" in missing.err
    nothing = await place.tocsin("template", "preview", "nothing", "--data", data)
    assert nothing.code == 1 and "no such template" in nothing.err


@pytest.mark.asyncio(loop_scope="module")
async def test_what_has_changed_is_a_new_version(place: Place, folder: Path) -> None:
    """And a mistake is told with its field and line, before anything is in force."""
    (folder / "template.yml").write_text("default: fr\nsubject: Bonjour")
    for text, says in (("un", "@1  new"), ("deux", "@2  new"), ("deux", "@2  unchanged")):
        (folder / "fr.txt").write_text(text)
        assert says in (await place.tocsin("template", "import", str(folder))).out
    (folder / "fr.txt").write_text("a\n{% if %}")
    wrong = await place.tocsin("template", "import", str(folder))
    assert wrong.code == 1 and "text: line 2" in wrong.err
