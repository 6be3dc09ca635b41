"""What keys look like, and what can be refused without asking the database."""

from __future__ import annotations

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from tawny.access.key_text import hash_key, looks_valid, new_key

KEYS = st.builds(lambda: new_key()[0])


def test_a_new_key_has_the_published_form() -> None:
    text, key_hash = new_key()
    assert re.fullmatch(r"tawny_[0-9A-Za-z]{36}", text)
    assert key_hash == hash_key(text) == hashlib.sha256(text.encode()).digest()


def test_the_checksum_is_the_crc32_of_the_random_part() -> None:
    # Of thirty zeros it is 0x77E5DB82 = 2011552642, which is 2C8GjS in base 62: other languages have to agree.
    assert looks_valid("tawny_" + "0" * 30 + "2C8GjS")


def test_new_keys_differ_and_look_valid() -> None:
    keys = {new_key()[0] for _ in range(1000)}
    assert len(keys) == 1000
    assert all(map(looks_valid, keys))


@given(KEYS, st.data())
def test_any_one_character_changed_is_noticed(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda character: character != text[place]))
    assert not looks_valid(text[:place] + other + text[place + 1 :])


@given(KEYS, st.data())
def test_a_character_more_or_less_is_noticed(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 1))
    assert not looks_valid(text[:place] + text[place + 1 :])
    assert not looks_valid(text[:place] + data.draw(st.characters()) + text[place:])


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_breaks_the_check(text: str) -> None:
    assert not looks_valid(text)
    assert not looks_valid(f"tawny_{text}")
