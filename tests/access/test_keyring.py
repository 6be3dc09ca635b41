"""Secrets at rest: what can be decrypted, by whom, and what is said when it cannot."""

from __future__ import annotations

import base64
import multiprocessing
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tawny.access.keyring import FILE, KEY_BYTES, CannotDecrypt, Keyring, key_id, load_keyring, load_or_make_keyring
from tawny.errors import Conflict, SettingsError

OLD, NEW = b"o" * KEY_BYTES, b"n" * KEY_BYTES
PLACE = "project|revenuecat|api_key"
TEXT = "sk_a_secret_that_nobody_may_see"


def in_base64(*keys: bytes) -> SecretStr:
    return SecretStr(",".join(base64.b64encode(key).decode() for key in keys))


def refusal(ring: Keyring, sealed: str, place: str = PLACE) -> str:
    """What is said when this cannot be decrypted, which shows neither the secret, nor the ciphertext, nor a key."""
    with pytest.raises(CannotDecrypt) as refused:
        ring.decrypt(sealed, place)
    sentence = str(refused.value)
    assert TEXT not in sentence
    assert len(body := sealed.rpartition(".")[2]) <= 8 or body not in sentence
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    return sentence


@pytest.mark.slow
@given(text=st.text(), place=st.text())
def test_what_was_encrypted_is_decrypted(text: str, place: str) -> None:
    ring = Keyring([OLD])
    assert ring.decrypt(ring.encrypt(text, place), place) == text


def test_each_time_the_ciphertext_is_another_one() -> None:
    ring = Keyring([OLD])
    sealed = {ring.encrypt(TEXT, PLACE) for _ in range(100)}
    assert len(sealed) == 100
    assert all(text.startswith(f"v1.{key_id(OLD)}.") and TEXT not in text for text in sealed)


@pytest.mark.parametrize("place", ["other|revenuecat|api_key", "project|other|api_key", "project|revenuecat|other", ""])
def test_a_ciphertext_is_worth_nothing_in_another_place(place: str) -> None:
    ring = Keyring([OLD])
    assert "belongs elsewhere" in refusal(ring, ring.encrypt(TEXT, PLACE), place)


def test_each_changed_byte_is_noticed() -> None:
    ring = Keyring([OLD])
    head, _, body = ring.encrypt(TEXT, PLACE).rpartition(".")
    sealed = base64.b64decode(body)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        refusal(ring, f"{head}.{base64.b64encode(changed).decode()}")


def test_each_missing_character_is_noticed() -> None:
    ring = Keyring([OLD])
    sealed = ring.encrypt(TEXT, PLACE)
    for length in range(len(sealed)):
        refusal(ring, sealed[:length])


@pytest.mark.parametrize("body", ["", "AAAA", "not base64", "ünïcode", "AAAA.AAAA", "A" * 15, "\0"])
def test_what_is_no_ciphertext_is_damaged(body: str) -> None:
    assert "damaged" in refusal(Keyring([OLD]), f"v1.{key_id(OLD)}.{body}")


def test_a_format_of_later_versions_is_told_apart() -> None:
    ring = Keyring([OLD])
    assert "format" in refusal(ring, ring.encrypt(TEXT, PLACE).replace("v1.", "v2.", 1))


def test_a_key_that_is_not_set_is_told_apart() -> None:
    assert "a key that is not set any more" in refusal(Keyring([NEW]), Keyring([OLD]).encrypt(TEXT, PLACE))


def test_who_relabels_a_ciphertext_gains_nothing() -> None:
    sealed = Keyring([OLD]).encrypt(TEXT, PLACE).replace(key_id(OLD), key_id(NEW), 1)
    assert "damaged" in refusal(Keyring([NEW, OLD]), sealed)


def test_to_try_again_is_not_what_a_client_is_told() -> None:
    assert issubclass(CannotDecrypt, Conflict)
    assert CannotDecrypt("").code == "cannot_decrypt"


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    before, both, after = Keyring([OLD]), Keyring([NEW, OLD]), Keyring([NEW])
    old, new = before.encrypt(TEXT, PLACE), both.encrypt(TEXT, PLACE)
    assert both.decrypt(old, PLACE) == both.decrypt(new, PLACE) == after.decrypt(new, PLACE) == TEXT
    assert [both.is_current(text) for text in (old, new)] == [False, True]
    assert both.key_ids == (key_id(NEW), key_id(OLD))
    refusal(before, new)
    refusal(after, old)


def test_the_name_of_a_key_says_nothing_about_it() -> None:
    assert len({key_id(bytes([n]) * KEY_BYTES) for n in range(100)}) == 100


def test_a_ring_does_not_show_its_keys() -> None:
    ring = Keyring([OLD])
    assert "o" * 8 not in f"{ring!r}{vars(ring)!r}"


# Where the keys come from


def test_a_key_is_made_once_and_kept_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    made = load_or_make_keyring(folder, None)
    assert load_or_make_keyring(folder, None).key_ids == made.key_ids
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_two_folders_have_two_keys(tmp_path: Path) -> None:
    assert load_or_make_keyring(tmp_path / "a", None).key_ids != load_or_make_keyring(tmp_path / "b", None).key_ids


def test_looking_for_the_keys_makes_none(tmp_path: Path) -> None:
    assert load_keyring(tmp_path, None) is None
    assert list(tmp_path.iterdir()) == []
    made = load_or_make_keyring(tmp_path, None)
    found = load_keyring(tmp_path, None)
    assert found is not None
    assert found.key_ids == made.key_ids


def test_configured_keys_win_and_make_no_file(tmp_path: Path) -> None:
    assert load_or_make_keyring(tmp_path, in_base64(NEW, OLD)).key_ids == (key_id(NEW), key_id(OLD))
    assert list(tmp_path.iterdir()) == []


def test_spaces_around_configured_keys_do_not_matter(tmp_path: Path) -> None:
    spaced = SecretStr(in_base64(NEW, OLD).get_secret_value().replace(",", " ,\n "))
    assert load_or_make_keyring(tmp_path, spaced).key_ids == (key_id(NEW), key_id(OLD))


def test_the_line_of_the_file_can_be_configured_on_another_machine(tmp_path: Path) -> None:
    made = load_or_make_keyring(tmp_path, None)
    assert load_or_make_keyring(tmp_path / "other", SecretStr((tmp_path / FILE).read_text())).key_ids == made.key_ids


def test_a_new_first_line_in_the_file_is_the_key_that_encrypts(tmp_path: Path) -> None:
    old = load_or_make_keyring(tmp_path, None)
    path = tmp_path / FILE
    path.write_text(f"{in_base64(NEW).get_secret_value()}\n{path.read_text()}")
    assert load_or_make_keyring(tmp_path, None).key_ids == (key_id(NEW), *old.key_ids)


def test_a_file_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    load_or_make_keyring(tmp_path, None)
    (tmp_path / FILE).chmod(0o644)
    for load in (load_keyring, load_or_make_keyring):
        with pytest.raises(SettingsError, match="chmod 600"):
            load(tmp_path, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2-hunter2-hunter2-hunter2",
        "hunter2 in two words",
        "hünter2",
        base64.b64encode(b"hunter2" * 4).decode(),
        base64.b64encode(b"hunter2" * 9).decode(),
        base64.b64encode(OLD).decode() + ",",
        base64.b64encode(OLD).decode() + ",hunter2",
        base64.b64encode(OLD).decode().replace("=", "!"),
    ],
)
def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="TAWNY_ENCRYPTION_KEYS should hold keys of 32 bytes in base64") as refused:
        load_or_make_keyring(tmp_path, SecretStr(text))
    assert not any(part in str(refused.value) for part in text.split(",") if part)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize("text", ["", "hunter2\n", "\xff"])
def test_a_damaged_file_is_refused_and_not_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / FILE
    path.touch(0o600)
    path.write_text(text, "latin-1")
    with pytest.raises(SettingsError, match=FILE) as refused:
        load_or_make_keyring(tmp_path, None)
    assert "hunter2" not in str(refused.value)
    assert path.read_text("latin-1") == text


def test_processes_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    starting, answers = context.Barrier(4), context.Queue()

    def start() -> None:
        starting.wait(10)
        answers.put(load_or_make_keyring(tmp_path, None).key_ids)

    processes = [context.Process(target=start) for _ in range(4)]
    for process in processes:
        process.start()
    rings = {answers.get(timeout=10) for _ in processes}
    for process in processes:
        process.join(10)
    assert rings == {load_or_make_keyring(tmp_path, None).key_ids}
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
