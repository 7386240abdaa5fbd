"""The dashboard's page, and a Content-Security-Policy under which nothing but its own script and style runs."""

import base64
import hashlib
import re
from importlib.resources import files

PAGE = files("sluicegate.admin").joinpath("dashboard.html").read_text("utf-8")


def policy_for(page: str) -> str:
    """A Content-Security-Policy for a page with one script and one style of its own."""
    hashes = {}
    for tag in ("script", "style"):
        inline = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline)
        hashes[tag] = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


POLICY = policy_for(PAGE)
