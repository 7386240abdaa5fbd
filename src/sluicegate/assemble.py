"""The composition root: from a configuration to running objects, and from a new configuration to the same objects changed.

Nothing else knows every room. `Runtime` is what answers requests, whoever accepts the connections; `build_addon` puts it
into a stock mitmdump, `serving` makes it a service of its own.
"""

import asyncio
import base64
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sluicegate import __version__
from sluicegate.clock import Clock, SystemClock
from sluicegate.config import compile as compiled
from sluicegate.config.diff import compare
from sluicegate.config.load import Loaded
from sluicegate.config.models import Settings
from sluicegate.config.passwords import verify_password
from sluicegate.core.access import AccessPolicy
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.core.interception import Interception
from sluicegate.errors import ConfigError, StartError
from sluicegate.exchange.cached import CachedForwarder
from sluicegate.exchange.call import Identity
from sluicegate.exchange.engine import Engine
from sluicegate.exchange.forward import Forwarder
from sluicegate.gate.gate import Gate
from sluicegate.observe.sink import FanOut
from sluicegate.proxy.addon import Services, SluicegateAddon
from sluicegate.proxy.authority import ensure_authority
from sluicegate.proxy.wayside import Parent, Wayside
