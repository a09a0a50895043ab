"""Text that grows by pieces of bytes, beside the text of all bytes together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pofx.server.completions.settled_text import SettledText, character_of_each_byte

PIECES = [
    b"a",
    b"b",
    b"ab",
    b"",
    b"\xc3",
    b"\xa9",
    b"\xe2",
    b"\x80\x94a",
    b"b\xe2\x80",
    b"\x94",
    b"\xf0\x9f",
    b"\x98\x80",
    b"\xff",
]
STOPS = ["ab", "aba", "é", "b—", "—a"]


def grown(pieces: list[bytes], stops: list[str], free: int, size: int) -> tuple[str, list[int], bool]:
    text = SettledText(stops)
    settled = [text.add(pieces[:free], stoppable=False)]
    for lo in range(free, len(pieces), size):
        settled.append(text.add(pieces[lo : lo + size]))
        if settled[-1].stopped:
            break
    else:
        settled.append(text.close())
    return "".join(s.text for s in settled), [o for s in settled for o in s.offsets], settled[-1].stopped


@given(
    st.lists(st.sampled_from(PIECES), max_size=12),
    st.lists(st.sampled_from(STOPS), max_size=2),
    st.integers(0, 3),
)
def test_piece_by_piece_and_at_once(pieces: list[bytes], stops: list[str], free: int) -> None:
    text, offsets, stopped = grown(pieces, stops, free, 1)
    data, prompt = b"".join(pieces), b"".join(pieces[:free])
    found = [at for s in stops if (at := data.find(s.encode(), len(prompt))) >= 0]
    assert stopped == bool(found)
    if not stopped:
        assert text == data.decode("utf-8", "replace")
        assert len(offsets) == len(pieces)
    else:
        # The first stop string that is complete ends the text; one that begins earlier may be completed later.
        assert data.startswith(text.encode()) or "�" in text
        assert max(offsets, default=0) <= len(text)
    begins = [len(b"".join(pieces[:k])) for k in range(len(offsets))]
    characters = character_of_each_byte(data)
    assert offsets == [min(len(text), int(characters[b])) for b in begins]


@given(st.binary(max_size=700))
def test_the_character_of_each_byte(data: bytes) -> None:
    got = character_of_each_byte(data)
    text = data.decode("utf-8", "replace")
    assert len(got) == len(data) + 1
    assert got[-1] == len(text)
    starts = [k for k in range(len(data)) if k == 0 or got[k] != got[k - 1]]
    parts = [data[lo:hi] for lo, hi in zip(starts, [*starts[1:], len(data)])]
    assert [p.decode("utf-8", "replace") for p in parts] == list(text)
