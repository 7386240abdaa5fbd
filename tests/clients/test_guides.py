import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from sluicegate.clients.guides import SECTIONS, guide
from sluicegate.clients.hints import HINTS

BUNDLE = Path("/state/ca/bundle.pem")


@pytest.mark.parametrize("section", [name for name in SECTIONS if name != "programs"])
def test_each_section_names_the_certificate_and_how_to_undo(authority, section):
    text = guide(authority, BUNDLE, section)

    assert str(authority.cert_path) in text
    assert "{" not in text
    assert section == "firefox" or "To undo" in text


def test_without_a_section_all_are_told(authority):
    text = guide(authority, BUNDLE)

    assert all(guide(authority, BUNDLE, section) in text for section in SECTIONS)


def test_programs_with_a_flag_of_their_own_are_listed(authority):
    text = guide(authority, BUNDLE, "programs")

    assert all(program in text for program in HINTS)
    assert "--ca-certificate=/state/ca/bundle.pem" in text
    assert authority.spki_sha256 in text


def test_a_path_with_a_space_survives_a_shell(authority, tmp_path):
    spaced = replace(authority, cert_path=tmp_path / "my state" / "cert.pem")
    command = guide(spaced, BUNDLE, "debian").splitlines()[1]

    assert shlex.split(command)[2] == str(spaced.cert_path)
