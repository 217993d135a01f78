"""The same template and data make the same text, and what goes wrong is said by name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.status import Channel
from kit.rendering import STEPS, TEXT_CHARACTERS, Template, Texts, Unrenderable, compiled, render
from kit.rendering.hypertext import cleaned
from kit.rendering.plain import made_from, text_of


def refusal(source: str, data: dict[str, Any] | None = None, html: bool = False) -> Unrenderable:
    with pytest.raises(Unrenderable) as caught:
        compiled(source, html)(data or {})
    return caught.value


@pytest.mark.parametrize("text", ["", "plain", "{ one brace }", "100 % of <b>it</b>\n", "# heading", "}} }%"])
def test_plain_text_passes_through(text: str) -> None:
    assert compiled(text, html=True)({}) == text


@pytest.mark.parametrize(
    ("source", "data", "text"),
    [
        ("Hello {{ name }}!\n", {"name": "Ann"}, "Hello Ann!\n"),
        ("{{ a }}{{ b }}", {"a": 1, "b": None}, "1None"),
        (
            "{% for i in items %}{{ loop.index }}:{{ i }}{{ ', ' if not loop.last }}{% endfor %}",
            {"items": "ab"},
            "1:a, 2:b",
        ),
        ("{{ price|format }}{{ '%.2f'|format(price) }}", {"price": "3"}, None),
        ("{{ '%.2f'|format(price) }} {{ 3 * 4 }} {{ 7 % 2 }}", {"price": 2.5}, "2.50 12 1"),
        (
            "{{ rows|sum(attribute='n') }} {{ rows|map(attribute='n')|join('+') }}",
            {"rows": [{"n": 1}, {"n": 2}]},
            "3 1+2",
        ),
        ("{% if city is defined %}{{ city }}{% endif %}{{ country|default('FR') }}", {}, "FR"),
        ("{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}{{ twice('ab') }}", {}, "abab"),
        ("{# said to nobody #}kept", {}, "kept"),
        ("{{ name.upper() }}", {"name": "é"}, "É"),
    ],
)
def test_a_template_is_filled_in(source: str, data: dict[str, Any], text: str | None) -> None:
    if text is None:
        refusal(source, data)
    else:
        assert compiled(source)(data) == text


def test_the_quick_way_for_names_alone_writes_what_the_engine_writes() -> None:
    data = {"a": "<&\"'>", "b": 3.0, "c": True, "d": [1, "x"]}
    for html in (False, True):
        quick = compiled("{{ a }}|{{ b }}|{{ c }}|{{ d }}", html)(data)
        slow = compiled("{{ a }}|{{ b }}|{{ c }}|{{ d }}{% if false %}{% endif %}", html)(data)
        assert quick == slow


def test_html_escapes_what_the_data_brings_and_plain_text_does_not() -> None:
    assert compiled("<p>{{ name }}</p>", html=True)({"name": "<script>"}) == "<p>&lt;script&gt;</p>"
    assert compiled("<p>{{ name|upper }}</p>", html=True)({"name": "<b>"}) == "<p>&lt;B&gt;</p>"
    assert compiled("{{ name }}")({"name": "<b>"}) == "<b>"


def test_a_template_is_compiled_once() -> None:
    assert compiled("once {{ x }}") is compiled("once {{ x }}")


@pytest.mark.parametrize(
    ("source", "data", "named"),
    [
        ("{{ first }} {{ last }}", {"first": "A"}, "last"),
        ("{{ first }} {{ last }}", {}, "first, last"),
        ("{{ order.total }}", {"order": {}}, "total"),
        ("{{ order.total|round }}", {}, "order"),
        ("{% for x in rows %}{{ x }}{% endfor %}", {}, "rows"),
    ],
)
def test_missing_data_is_named(source: str, data: dict[str, Any], named: str) -> None:
    error = refusal(source, data)
    assert error.reason == "missing_data"
    assert named in error.detail


@pytest.mark.parametrize(
    "source",
    [
        "{{ name ",
        "{% for %}",
        "{% include 'secrets' %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ x / 0 }}",
        "{{ [].append(1) }}",
        "{{ lipsum() }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 10 ** 100 ** 100 }}",
        "{{ 'a'.ljust(1000000000) }}",
        "{{ 'a'|center(1000000000) }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ '%*d'|format(1000000000, 1) }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{% macro deeper(n) %}{{ deeper(n) }}{% endmacro %}{{ deeper(1) }}",
    ],
)
def test_a_bad_template_is_refused(source: str) -> None:
    assert refusal(source, {"x": 1}).reason in ("bad_template", "missing_data")


@pytest.mark.parametrize("source", ["{{ [1,2]|random }}", "{{ x|pprint }}"])
def test_nothing_is_left_to_chance(source: str) -> None:
    assert refusal(source, {"x": 1}).reason == "bad_template"


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(20000) %}{% for b in range(20000) %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
        "{% for a in range(9999999999) %}{% endfor %}",
        "{% for a in range(20000) %}twenty characters ..{% endfor %}",
        "{{ long }}",
        "{{ long }}{% if true %}{% endif %}",
        "x" * 70_000,
    ],
)
def test_too_much_ends_at_a_limit(source: str) -> None:
    assert refusal(source, {"long": "x" * (TEXT_CHARACTERS + 1)}).reason == "too_large"


def test_the_limit_of_steps_leaves_room_for_a_table() -> None:
    source = "{% for r in range(1000) %}{% for c in range(10) %}.{% endfor %}{% endfor %}"
    assert len(compiled(source)({})) == 10_000 < STEPS


# ------------------------------------------------------------------------------------------------ whole templates

WELCOME = Template(
    subject="Hello {{ name }}",
    text="Welcome, {{ name }}.",
    html="<p>Welcome, {{ name }}.</p>",
    sms="Hi {{ name }}",
    locales={
        "fr": Texts(subject="Bonjour {{ name }}", text="Bienvenue, {{ name }}."),
        "fr-CA": Texts(subject="Allô {{ name }}"),
    },
    required=("name",),
)


@pytest.mark.parametrize(
    ("locale", "subject", "text"),
    [
        (None, "Hello Zoé", "Welcome, Zoé."),
        ("en", "Hello Zoé", "Welcome, Zoé."),
        ("fr", "Bonjour Zoé", "Bienvenue, Zoé."),
        ("fr_FR", "Bonjour Zoé", "Bienvenue, Zoé."),
        ("FR-ca", "Allô Zoé", "Bienvenue, Zoé."),
    ],
)
def test_the_nearest_locale_is_taken(locale: str | None, subject: str, text: str) -> None:
    found = render(WELCOME, Channel.EMAIL, locale, {"name": "Zoé"})
    assert (found.subject, found.text, found.html) == (subject, text, "<p>Welcome, Zoé.</p>")


@pytest.mark.parametrize(
    ("locale", "text"),
    [("zh-Hant-TW", "繁"), ("zh-Hant", "繁"), ("zh_hans_CN", "中"), ("zh", "中"), ("zho-Hant", "own"), ("z", "own")],
)
def test_a_script_is_nearer_than_the_language_alone(locale: str, text: str) -> None:
    """RFC 4647, 3.4: subtag by subtag."""
    template = Template(text="own", locales={"zh": Texts(text="中"), "zh-Hant": Texts(text="繁")})
    assert render(template, Channel.SMS, locale, {}).text == text


def test_each_channel_has_its_parts() -> None:
    sms = render(WELCOME, Channel.SMS, None, {"name": "Zoé"})
    assert (sms.subject, sms.text, sms.html) == (None, "Hi Zoé", None)
    inapp = render(WELCOME, Channel.INAPP, "fr", {"name": "Zoé"})
    assert (inapp.subject, inapp.text) == ("Bonjour Zoé", "Bienvenue, Zoé.")
    assert render(WELCOME, Channel.SMS, "fr", {"name": "Zoé"}).text == "Bienvenue, Zoé."


def test_required_data_is_checked_before_anything() -> None:
    with pytest.raises(Unrenderable, match="the template needs name"):
        render(WELCOME, Channel.SMS, None, None)


def test_the_error_names_the_part() -> None:
    with pytest.raises(Unrenderable, match="html: data: sum missing"):
        render(Template(subject="s", text="t", html="{{ sum }}"), Channel.EMAIL, None, {})


def test_a_setting_that_is_no_template_is_refused() -> None:
    with pytest.raises(Unrenderable, match="subject: "):
        Template.of({"subject": 3})


# ------------------------------------------------------------------------------------------------ HTML and its text


def test_a_text_that_nobody_wrote_is_made_of_the_html() -> None:
    """Its loops and conditions go along; data is not escaped in it."""
    html = (
        "<h1>Report</h1><ul>{% for one in items %}<li>{{ one.title }}</li>{% endfor %}</ul>"
        '{% if link %}<p><a href="{{ link }}">Open</a></p>{% endif %}{# nobody reads this #}'
    )
    text = compiled(made_from(html))
    said = text({"items": [{"title": "a & b"}, {"title": "<c>"}], "link": "https://example.com/?a&b"})
    assert said.split() == ["Report", "*", "a", "&", "b", "*", "<c>", "[Open](https://example.com/?a&b)"]
    assert "Open" not in text({"items": [], "link": None}) and "nobody" not in said


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("<p>Hello <b>you</b></p>\n\n<p>and you</p>", "Hello you\n\nand you\n"),
        ("<p>{{ name }} \ue0005\ue001</p>", "{{ name }} \ue0005\ue001\n"),
        ('<a href="https://example.com/?a=1&amp;b=2">Open</a>', "[Open](https://example.com/?a=1&b=2)\n"),
    ],
)
def test_a_mail_without_a_text_is_given_what_its_html_says(html: str, text: str) -> None:
    """It is no template: nothing in it is filled in."""
    assert text_of(html) == text


@given(st.text(max_size=300) | st.text("<>/pbai &;!-'\"=\x00\x0c\ue000\ue0011", max_size=300))
def test_any_html_has_a_text_once_it_is_cleaned(html: str) -> None:
    assert isinstance(text_of(cleaned(html.replace("\x00", ""))), str)


def test_conditions_that_do_not_hold_leave_no_gap() -> None:
    """A line of marks alone goes before the next one."""
    html = (
        "<div>\n  <p>a</p>\n  {% if x %}\n  <p>b</p>\n  {% endif %}\n  {% if y %}<p>c</p>{% endif %}\n<p>d</p>\n</div>"
    )
    text = compiled(made_from(html))
    assert text({"x": 0, "y": 0}).split("\n") == ["a", "", "d", ""]
    assert text({"x": 1, "y": 1}).split() == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "html",
    ["<p>{% if x %}</p><img {% endif %}>", "<p>&#123;&#123; x }}</p>", "<title>{% if x %}</title>y{% endif %}"],
)
def test_a_text_that_cannot_be_made_has_to_be_written(html: str) -> None:
    with pytest.raises(Unrenderable, match="write text beside it"):
        made_from(html)


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("<html><head><title>t</title><style>p{}</style></head><body><p>a</p></body></html>", "<p>a</p>"),
        ("<p onclick='x()'>a<script>x()</script></p>", "<p>a</p>"),
        ('<p style="color:red;position:fixed">a</p>', '<p style="color:red">a</p>'),
        ('<td bgcolor="#fff">a</td>', "a"),
        ('<a href="javascript:x">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<img src="cid:logo" alt="a">', '<img src="cid:logo" alt="a">'),
    ],
)
def test_html_is_cleaned(dirty: str, clean: str) -> None:
    assert cleaned(dirty) == clean


@pytest.mark.parametrize("html", ["<b>" * 101, "<b></i>" * 101, "é" * 40_000, "<div><p>" * 101])
def test_html_that_would_take_long_is_refused_before(html: str) -> None:
    with pytest.raises(Unrenderable) as caught:
        cleaned(html)
    assert caught.value.reason == "too_large"


def test_many_paragraphs_that_are_never_ended_are_not_deep() -> None:
    assert cleaned("<p>a<br>" * 1000).startswith("<p>a<br></p><p>")
