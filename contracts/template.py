"""What a notification says, written once: texts per channel and language, and the data they cannot do without."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from contracts.request import HTML_BYTES, Locale, Strict, header_text, html_within_size, no_nul
from contracts.wording import DATA_NAME, WORD

WHAT: Final = "template"
"""What a Setting of `directory.settings` is that holds one: `welcome@3` the texts, `welcome` the version in force."""
MOST_LOCALES: Final = 40

TemplateName = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=WORD)]
"""Shorter than the name of a notification's template, which may have `@3` behind it."""
DataName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=DATA_NAME)]
Kind = Literal["text", "number", "boolean", "list", "object"]
Body = Annotated[str, StringConstraints(max_length=HTML_BYTES)]


class TextsRequest(Strict):
    """The parts of a template in one language, each a source of Jinja2.

    `sms` and `inapp` stand in for `text` on their channels; a `text` that is left out is made from the `html`.
    """

    subject: Annotated[str, StringConstraints(max_length=1000)] | None = None
    text: Body | None = None
    html: str | None = None
    sms: Annotated[str, StringConstraints(max_length=8000)] | None = None
    inapp: Body | None = None

    @field_validator("subject")
    @classmethod
    def _one_line(cls, text: str | None) -> str | None:
        return text if text is None else header_text(text)

    @field_validator("text", "html", "sms", "inapp")
    @classmethod
    def _no_nul(cls, text: str | None) -> str | None:
        return no_nul(text)

    @field_validator("html")
    @classmethod
    def _html_size(cls, html: str | None) -> str | None:
        return html_within_size(html)

    @property
    def has_body(self) -> bool:
        """There is something to send."""
        return any(text is not None for text in (self.text, self.html, self.sms, self.inapp))


class TemplateRequest(TextsRequest):
    """A template as an admin writes it: the texts of the language that everybody gets who reads none of `locales`.

    `required` names what `data` must hold, `types` of which kind it is, where it is there.
    """

    locales: Annotated[dict[Locale, TextsRequest], Field(max_length=MOST_LOCALES)] = {}
    required: Annotated[tuple[DataName, ...], Field(max_length=100)] = ()
    types: Annotated[dict[DataName, Kind], Field(max_length=100)] = {}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not any(texts.has_body for _, texts in self.languages()):
            raise ValueError("text: give text, html, sms or inapp: there is nothing to send yet")
        return self

    def languages(self) -> Iterator[tuple[str, TextsRequest]]:
        """(where it stands in the body, the texts), its own first."""
        yield "", self
        for locale, texts in self.locales.items():
            yield f"locales.{locale}.", texts

    def parts(self) -> Iterator[tuple[str, str, str]]:
        """(field, part, source) of everything that is written here."""
        for place, texts in self.languages():
            for part in TextsRequest.model_fields:
                if (source := getattr(texts, part)) is not None:
                    yield f"{place}{part}", part, source


class TemplatePreviewRequest(Strict):
    """For whom it is tried out: channel, language and data. `version`: another than the one in force."""

    channel: Literal["email", "sms", "inapp"] = "email"
    locale: Locale | None = None
    data: dict[str, Any] = {}
    version: Annotated[int, Field(ge=1)] | None = None


def version_name(name: str, number: int) -> str:
    """As timelines and notifications name it: `welcome@3`."""
    return f"{name}@{number}"
