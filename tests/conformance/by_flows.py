"""A script for `mitmdump -s`: the addon, with every request parsed by mitmproxy's own HTTP layer instead of the lane."""

from sluicegate.assemble import build_addon
from sluicegate.proxy.addon import SluicegateAddon

del SluicegateAddon.next_layer

addons = [build_addon()]
