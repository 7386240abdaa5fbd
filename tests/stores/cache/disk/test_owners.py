import contextlib

from sluicegate.stores.cache.disk.owners import Owners


def test_an_owner_is_alive_until_it_closes(tmp_path):
    with contextlib.closing(Owners(tmp_path)) as looking:
        other = Owners(tmp_path)
        assert not looking.is_dead(other.own)

        other.close()

        assert looking.is_dead(other.own)


def test_marks_of_the_dead_are_deleted_and_those_of_the_living_are_not(tmp_path):
    with contextlib.closing(Owners(tmp_path)) as looking, contextlib.closing(Owners(tmp_path)) as alive:
        (tmp_path / f"{12345:016x}").touch()
        (tmp_path / "notes.txt").touch()

        looking.tidy()

        names = {path.name for path in tmp_path.iterdir()}
        assert names == {f"{looking.own:016x}", f"{alive.own:016x}", "notes.txt"}
        assert not looking.is_dead(alive.own)
        assert looking.is_dead(12345)
