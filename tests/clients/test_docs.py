from pathlib import Path

import pytest

from sluicegate.clients.environment import environment
from sluicegate.clients.hints import HINTS

DOCS = Path(__file__).parents[2] / "docs" / "clients.md"


def test_every_variable_is_documented(authority, tmp_path):
    base = {"npm_config_cafile": str(authority.cert_path), "HOME": str(tmp_path)}
    variables = environment(
        "http://127.0.0.1:1", authority, base, proxy_loopback=False, bypass=(), java=True, cwd=tmp_path
    )

    assert [name for name in variables if f"`{name}`" not in DOCS.read_text()] == []


@pytest.mark.parametrize("program", set(HINTS) - {"chromium-browser"})
def test_every_program_that_needs_a_flag_is_documented(program):
    assert program in DOCS.read_text()
