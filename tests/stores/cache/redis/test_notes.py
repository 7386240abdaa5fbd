import pytest

from sluicegate.stores.cache.redis.notes import Note


@pytest.mark.parametrize("key", ["http://a.example/", "http://a.example/\udcff?é"])
def test_a_note_comes_back_as_it_was(key):
    note = Note(bytes(range(16)), key)

    assert Note.load(note.dump()) == note


@pytest.mark.parametrize("data", [b"", bytes(16), bytes(16) + b"\xff"])
def test_other_bytes_are_no_note(data):
    assert Note.load(data) is None
