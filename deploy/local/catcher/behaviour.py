"""What the catcher does with a mail is written in its recipient's local part, before the first `+`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

Step = Literal["rcpt", "data", "dot"]
"""Where in the SMTP conversation it happens: at RCPT TO, at DATA, after the final dot."""

How = Literal["drop", "silent", "slow", "drip"]

SLOW_SECONDS = 2.0
DRIP_SECONDS = 0.25
"""Between two bytes of a dripping answer."""


@dataclass(frozen=True, slots=True)
class Behave:
    """The mail is taken and kept."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The step is answered with this line; 421 also closes the connection."""

    step: Step
    line: str
    once: bool = False
    """Only the first time for an address and Message-ID; then the mail is taken."""

    @property
    def closes(self) -> bool:
        return self.line.startswith("421")


@dataclass(frozen=True, slots=True)
class Hang:
    """The step gets no proper answer: the connection drops, or nothing comes, or it comes late or byte by byte."""

    how: How
    step: Step
    keeps: bool
    """Whether the mail is kept all the same: the sender cannot tell, and must call the outcome unknown."""


Behaviour = Behave | Refuse | Hang

ASKED = "as the address asks"
RATE = "our system has detected an unusual rate of mail"
"""As Gmail words it, under 5.7.x."""

CATALOGUE = [
    ("anyone@", "taken and kept"),
    ("421+x@", "RCPT answered with 421 4.3.2, and the connection closed"),
    ("450@", "RCPT answered with 450 4.2.1; any code from 400 to 599 works like this"),
    ("550@", "RCPT answered with 550 5.1.1: no such user"),
    ("552@", "RCPT answered with 552 5.2.2: the mailbox is full"),
    ("550-5.7.1@", "RCPT answered with 550 and that enhanced code; any works"),
    ("550-bare@", "the same without an enhanced code"),
    ("550-5.7.1-rate@", "the same in the words of a provider that was sent too much"),
    ("once-450@", "450 after the final dot, the first time for that address and Message-ID; then taken"),
    ("554data@", "DATA answered with 554 5.7.1; any code works (`550-5.4.5data@` too)"),
    ("451dot@", "451 4.3.0 after the final dot; any code works"),
    ("drop-rcpt@", "the connection closes at RCPT; `drop-data@` at DATA"),
    ("drop-dot@", "the connection closes after the final dot; the mail is not kept"),
    ("keep-drop-dot@", "the same, but the mail is kept"),
    ("silent-dot@", "no answer ever after the final dot; `silent-rcpt@` and `silent-data@` at those steps"),
    ("keep-silent-dot@", "the same, but the mail is kept"),
    ("slow@", f"taken, the answer after the final dot comes after {SLOW_SECONDS:g} s"),
    ("drip@", f"taken, the answer after the final dot comes a byte every {DRIP_SECONDS:g} s"),
]
"""For people: what to write before the `@` (and `+anything`), and what happens then."""

_REFUSAL = re.compile(
    r"(?P<once>once-)?(?P<code>[45]\d\d)(?:-(?P<enhanced>[45]\.\d{1,3}\.\d{1,3}|bare))?(?P<rate>-rate)?"
    r"(?P<step>rcpt|data|dot)?"
)
_HANG = re.compile(r"(?P<keep>keep-)?(?P<how>drop|silent|slow|drip)(?:-(?P<step>rcpt|data|dot))?")

_ENHANCED = {
    "421": "4.3.2",
    "450": "4.2.1",
    "451": "4.3.0",
    "452": "4.5.3",
    "454": "4.7.0",
    "550": "5.1.1",
    "551": "5.1.6",
    "552": "5.2.2",
    "553": "5.1.3",
    "554": "5.7.1",
}


def behaviour(address: str) -> Behaviour:
    """What a recipient's address asks for."""
    asked = address.rpartition("@")[0].partition("+")[0].lower()
    if refusal := _REFUSAL.fullmatch(asked):
        once = refusal["once"] is not None
        # "Once" is told apart by the Message-ID, which is known only after the final dot.
        step: Step = "dot" if once else _step(refusal["step"], "rcpt")
        enhanced = refusal["enhanced"] or _ENHANCED.get(refusal["code"], f"{refusal['code'][0]}.0.0")
        words = RATE if refusal["rate"] else ASKED
        return Refuse(step, " ".join(filter(None, (refusal["code"], enhanced.replace("bare", ""), words))), once)
    if hang := _HANG.fullmatch(asked):
        how = cast(How, hang["how"])
        return Hang(how, _step(hang["step"], "dot"), keeps=how in ("slow", "drip") or hang["keep"] is not None)
    return Behave()


def _step(written: str | None, default: Step) -> Step:
    match written:
        case "rcpt" | "data" | "dot":
            return written
    return default
