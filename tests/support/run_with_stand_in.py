"""The real command as a program of its own, with the stand-in in the place of `serve`."""

import sys
from pathlib import Path

from sluicegate.cli import main, proxy_process

proxy_process.SERVE = (sys.executable, str(Path(__file__).with_name("stand_in_serve.py")))
main()
