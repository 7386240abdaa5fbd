"""The whole environment of a client, from an address and an authority."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sluicegate.clients.java import java_variables
from sluicegate.clients.npm import npm_variables
from sluicegate.clients.proxies import no_proxy_entries, no_proxy_variables, proxy_variables
from sluicegate.clients.trust import trust_variables
from sluicegate.clients.wget import wget_variables
from sluicegate.errors import StartError
from sluicegate.proxy.authority import Authority


def environment(
    proxy_url: str,
    authority: Authority,
    base: Mapping[str, str],
    *,
    proxy_loopback: bool,
    bypass: Sequence[str],
    java: bool,
    cwd: Path | None = None,
) -> dict[str, str]:
    """The variables to set on top of `base` so that a command uses the proxy at `proxy_url` and trusts `authority`.

    Writes the merged CA files they name, under the authority's directory. `bypass` hosts go round the proxy, and so
    does loopback unless `proxy_loopback`; `java` adds JAVA_TOOL_OPTIONS; `cwd` is where the command will run.
    Raises ValueError for a bad `bypass` host, StartError when the files cannot be written.
    """
    entries = no_proxy_entries(base, proxy_loopback=proxy_loopback, bypass=bypass)
    try:
        return {
            **proxy_variables(proxy_url, base),
            **no_proxy_variables(entries),
            **trust_variables(authority, base),
            **npm_variables(authority, base, cwd=cwd or Path.cwd()),
            **wget_variables(authority, base),
            **(java_variables(proxy_url, authority, base, entries) if java else {}),
        }
    except OSError as error:
        raise StartError(
            f"the CA files for clients cannot be written under {authority.confdir}: {error}",
            advice="Make the directory writable, or name another state directory with --state-dir.",
        ) from error
