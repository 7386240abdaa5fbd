import pytest

from sluicegate.config import passwords
from sluicegate.config.models import Settings
from sluicegate.config.passwords import CachedVerifier, hash_password, verify_password


def test_a_password_matches_its_own_hash_alone():
    stored = hash_password("pässword\udcff")

    assert verify_password("pässword\udcff", stored)
    assert not verify_password("password", stored)
    assert not verify_password("", stored)


def test_two_hashes_of_one_password_differ():
    assert hash_password("same") != hash_password("same")


def test_a_hash_is_what_the_configuration_takes():
    Settings.model_validate({"access": {"users": {"bob": hash_password("x")}}})


@pytest.mark.parametrize(
    "stored",
    ["", "x", "bcrypt$1$1$1$YQ==$YQ==", "scrypt$3$8$1$YQ==$YQ==", "scrypt$a$8$1$YQ==$YQ==", "scrypt$2$8$1$!$YQ=="],
)
def test_a_hash_that_cannot_be_read_matches_nothing(stored):
    assert not verify_password("x", stored)


def test_a_hash_that_wants_too_much_memory_matches_nothing():
    assert not verify_password("x", "scrypt$1073741824$8$1$YQ==$YQ==")


def test_only_the_first_right_answer_costs_a_derivation(monkeypatch):
    stored = hash_password("right")
    asked = []
    monkeypatch.setattr(passwords, "verify_password", lambda password, _: asked.append(password) or password == "right")
    verify = CachedVerifier()

    assert [verify(word, stored) for word in ("right", "right", "wrong", "wrong", "right")] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert asked == ["right", "wrong", "wrong"]
    assert not verify("wrong", hash_password("other"))


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(passwords, "verify_password", lambda _password, _stored: True)
    verify = CachedVerifier()

    for number in range(3000):
        verify(str(number), "hash")

    assert len(verify._verified) == 1000
