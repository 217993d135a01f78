"""No text message leaves the house: each is a line in `logs/sms_simulation.log`, text and number included."""

import json
from pathlib import Path
from typing import Final

from kit.clock import utc_now
from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Accepted, Outcome, Unavailable
from kit.delivery.provider import Parcel
from kit.delivery.trial import Check, Trial
from kit.logs.files import SharedFile
from services.sms_sender.rules.segments import Segments, segments

FILE: Final = "sms_simulation.log"


class Console:
    """The provider of a machine without a contract."""

    timeout = 1.0

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._file = SharedFile(folder / FILE)

    async def hand_over(self, parcel: Parcel) -> Outcome:
        parts = segments(parcel.content.text or "")
        try:
            self._file.write(_line(parcel, parts))
        except OSError as error:
            return Unavailable(PROVIDER_UNAVAILABLE, f"{FILE}: {error.strerror}")
        return Accepted(
            provider_id=f"console-{parcel.due.id}-{parcel.try_}", segments=parts.count, encoding=parts.encoding
        )

    async def tried(self, seconds: float) -> Trial:
        """Whether its file can be written."""
        try:
            self._file.touch()
        except OSError as error:
            return Trial([Check("file", False, f"{self._file.path}: {error.strerror}")])
        return Trial([Check("file", True, f"a simulation: text messages go to {self._file.path}")])

    async def close(self) -> None:
        self._file.close()


def _line(parcel: Parcel, parts: Segments) -> bytes:
    told = {
        "time": utc_now().isoformat(timespec="milliseconds"),
        "id": str(parcel.due.id),
        "try": parcel.try_,
        "to": parcel.to,
        "text": parcel.content.text,
        "encoding": parts.encoding,
        "segments": parts.count,
    }
    if parcel.copy_possible:
        told["copy"] = "possible"
    return json.dumps(told, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
