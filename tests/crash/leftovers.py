"""Whether the cache's directory is as it should be, once nobody is using it."""

import contextlib
import sqlite3
from pathlib import Path

from sluicegate.stores.cache.disk.database import DATABASE_NAME


def disk_use(directory: Path) -> int:
    """The bytes of the disk that a directory takes."""
    total = 0
    for path in directory.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.lstat().st_blocks * 512
    return total


def problems(directory: Path, owners: int) -> list[str]:
    """What is wrong: damage, files that nobody knows, entries without their file, counts that do not add up."""
    found = []
    with contextlib.closing(sqlite3.connect(directory / DATABASE_NAME, isolation_level=None)) as db:
        db.execute("BEGIN")
        [checked] = db.execute("PRAGMA quick_check").fetchone()
        filed = dict(db.execute("SELECT id, length FROM entry WHERE filed").fetchall())
        loose = db.execute("SELECT id FROM loose").fetchall()
        counted = db.execute("SELECT count(*), coalesce(sum(size), 0) FROM entry").fetchone()
        total = db.execute("SELECT entries, bytes FROM total").fetchone()
        bodiless = db.execute(
            "SELECT count(*) FROM entry LEFT JOIN body USING (id) WHERE NOT filed AND length(coalesce(data, x'')) <> length"
        ).fetchone()[0]
        bodies = db.execute("SELECT count(*) FROM body WHERE id NOT IN (SELECT id FROM entry)").fetchone()[0]
    files = {int(path.name, 16): path for path in directory.glob("bodies-*/*/*")}
    if checked != "ok":
        found.append(f"the database is damaged: {checked}")
    if loose:
        found.append(f"{len(loose)} files are still being written or deleted")
    if strangers := files.keys() - filed.keys():
        found.append(f"{len(strangers)} files of no entry")
    if wrong := [one for one, length in filed.items() if one not in files or files[one].stat().st_size != length]:
        found.append(f"{len(wrong)} entries without their whole file")
    if bodiless or bodies:
        found.append(f"{bodiless} entries without their body, {bodies} bodies without their entry")
    if counted != total:
        found.append(f"entries and bytes are {counted}, and counted as {total}")
    if (marks := len(list((directory / "owners").iterdir()))) > owners:
        found.append(f"{marks} marks of life for {owners} processes")
    if list(directory.glob("*.new")) or list(directory.glob("*.corrupt-*")):
        found.append(f"other files: {sorted(path.name for path in directory.iterdir())}")
    return found
