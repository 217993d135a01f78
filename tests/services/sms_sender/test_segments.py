"""What a text message costs, by the table of 3GPP TS 23.038."""

import pytest

from services.sms_sender.rules.segments import Segments, segments

GSM_7, UCS_2 = "GSM-7", "UCS-2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments(GSM_7, 1)),
        ("a" * 160, Segments(GSM_7, 1)),
        ("a" * 161, Segments(GSM_7, 2)),
        ("a" * 306, Segments(GSM_7, 2)),
        ("a" * 307, Segments(GSM_7, 3)),
        ("€" * 80, Segments(GSM_7, 1)),
        ("€" * 81, Segments(GSM_7, 2)),
        ("a" * 152 + "€" + "a" * 152, Segments(GSM_7, 3)),
        ("é à ù ñ Ø", Segments(GSM_7, 1)),
        ("ê", Segments(UCS_2, 1)),
        ("“quoted”" + "a" * 62, Segments(UCS_2, 1)),
        ("“quoted”" + "a" * 63, Segments(UCS_2, 2)),
        ("😀" * 35, Segments(UCS_2, 1)),
        ("😀" * 36, Segments(UCS_2, 2)),
        ("a" * 66 + "😀" + "a" * 66, Segments(UCS_2, 3)),
        ("a" * 1600, Segments(GSM_7, 11)),
    ],
)
def test_segments(text: str, expected: Segments) -> None:
    assert segments(text) == expected
