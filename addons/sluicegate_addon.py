"""Sluicegate in a stock mitmproxy: `mitmdump -s addons/sluicegate_addon.py`, or mitmproxy, or mitmweb.

Cache, limits and log are those of `sluicegate serve`, configured by SLUICEGATE_CONFIG and the other SLUICEGATE_
variables. Address and port are mitmproxy's own options; the admin server and reloads are for `serve` alone.
"""

from sluicegate.assemble import build_addon

addons = [build_addon()]
