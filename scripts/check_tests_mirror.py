"""Fail when a source file has no test file of its own: src/sluicegate/a/b.py wants tests/a/test_b.py.

Files without a decision of their own (a package's `__init__`, plain data) are named here, each with its reason.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "sluicegate"
TESTED_ELSEWHERE: dict[str, str] = {
    "core/events.py": "plain data; what is made of it is tested in observe/",
    "core/ports.py": "protocols; each store and pool is tested against them",
    "core/caching/decisions.py": "plain data",
    "core/caching/entry.py": "plain data",
    "core/caching/listing.py": "plain data",
    "core/limits/model.py": "plain data",
    "core/limits/ports.py": "protocols; the contract suite in stores/ tests their keepers",
    "exchange/call.py": "plain data",
    "core/caching/answering.py": "test_policy, test_policy_ranges and test_stale see all that it answers",
    "exchange/errand.py": "plain data",
    "exchange/fetching.py": "tested through the engine, in exchange/test_cached.py and test_parts.py",
    "exchange/sharing.py": "tested through the engine, in exchange/test_collapse.py",
    "exchange/stored.py": "tested through the engine, in exchange/test_cached.py and test_parts.py",
    "observe/state.py": "plain data; the status document that shows it is tested in test_status.py",
    "workers/messages.py": "plain data",
    "__main__.py": "three lines, run by every test that starts the proxy",
}


def main() -> int:
    """Print what is missing; 1 if anything is."""
    missing = []
    for source in sorted(SOURCE.rglob("*.py")):
        relative = source.relative_to(SOURCE)
        if source.name == "__init__.py" or str(relative) in TESTED_ELSEWHERE:
            continue
        if not (ROOT / "tests" / relative.parent / f"test_{relative.name.lstrip('_')}").exists():
            missing.append(str(relative))
    stale = [name for name in TESTED_ELSEWHERE if not (SOURCE / name).exists()]
    for name in missing:
        print(f"{name} has no test file")
    for name in stale:
        print(f"{name} is excused from having a test file, but does not exist")
    return 1 if missing or stale else 0


if __name__ == "__main__":
    sys.exit(main())
