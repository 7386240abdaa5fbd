"""How to trust the CA, system by system, in words and commands. Nothing here changes anything."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from sluicegate.clients.hints import HINTS
from sluicegate.proxy.authority import Authority

SECTIONS: Mapping[str, str] = {
    "debian": """\
Debian, Ubuntu, Alpine
  sudo cp {cert} /usr/local/share/ca-certificates/sluicegate.crt
  sudo update-ca-certificates
  To undo: remove that file, then sudo update-ca-certificates --fresh""",
    "fedora": """\
Fedora, RHEL
  sudo cp {cert} /etc/pki/ca-trust/source/anchors/sluicegate.pem
  sudo update-ca-trust
  To undo: remove that file, then sudo update-ca-trust""",
    "macos": """\
macOS
  sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {cert}
  To undo: sudo security delete-certificate -c "Sluicegate CA" /Library/Keychains/System.keychain""",
    "windows": """\
Windows (as administrator)
  certutil -addstore -f ROOT {cert}
  To undo: certutil -delstore ROOT "Sluicegate CA" """,
    "firefox": """\
Firefox
  Settings, Privacy & Security, Certificates, View Certificates, Authorities, Import: {cert}
  It reads the system's store instead when security.enterprise_roots.enabled is true in about:config.""",
    "chromium": """\
Chromium and Chrome on Linux
  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n Sluicegate -i {cert}
  For one run: --ignore-certificate-errors-spki-list={spki}
  To undo: certutil -d sql:$HOME/.pki/nssdb -D -n Sluicegate""",
    "java": """\
Java
  keytool -importcert -noprompt -cacerts -storepass changeit -alias sluicegate -file {cert}
  For one command, with proxy and trust store: sluicegate run --java -- CMD
  To undo: keytool -delete -cacerts -storepass changeit -alias sluicegate""",
    "programs": """\
Programs with stores of their own
  requests, httpx, pip, uv, npm, node, git, cargo, aws, gcloud, curl, wget and more take it from variables:
  eval "$(sluicegate env)", or sluicegate run -- CMD
  With a flag of their own only:
{flags}""",
}
"""A system, or kind of program, to the text about it."""


def guide(authority: Authority, bundle: Path, section: str | None = None) -> str:
    """How to trust `authority`: the text about one section, or about all. `bundle` also holds the default roots."""
    flags = [f"    {program:<18}{flag}" for program, (flag, _) in HINTS.items()]
    values = {
        "cert": shlex.quote(str(authority.cert_path)),
        "spki": authority.spki_sha256,
        "bundle": shlex.quote(str(bundle)),
    }
    filled = "\n".join(flags).format(**values)
    names = [section] if section else list(SECTIONS)
    return "\n\n".join(SECTIONS[name].format(**values, flags=filled).rstrip() for name in names)
