"""The Dockerfile's own steps, run without a container engine: what it copies is enough to install and to serve."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = "/opt/sluicegate"


def environ(**extra):
    """As in the image, where `python3` is the Python that the tests run on; what reaches the package index stays set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLUICEGATE_")}
    return dict(kept, PATH=f"{sys.base_prefix}/bin{os.pathsep}{os.environ['PATH']}", **extra)


def instructions():
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


def copy(arguments, image):
    *sources, target = arguments.split()
    for source in sources:
        found = ROOT / source
        if found.is_dir():
            shutil.copytree(found, image / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(found, image / target)


def test_what_the_image_copies_and_runs_makes_a_proxy_that_serves(tmp_path):
    image = tmp_path / "image"
    image.mkdir()
    for word, arguments in instructions():
        if word == "COPY" and not arguments.startswith("--from"):
            copy(arguments, image)
        elif word == "RUN" and "apt-get" not in arguments and "useradd" not in arguments:
            subprocess.run(arguments, shell=True, cwd=image, env=environ(), check=True, timeout=300)

    (command,) = [json.loads(arguments) for word, arguments in instructions() if word == "CMD"]
    assert command[0] == "serve"
    arguments = [argument.replace(HOME, str(image)) for argument in command]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [image / ".venv/bin/sluicegate", *arguments, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
             "--ready-fd", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environ(SLUICEGATE_STATE_DIR=str(tmp_path / "state")),
            stdout=subprocess.PIPE,
        )  # fmt: skip
        theirs.close()
        with process:
            ours.settimeout(60)
            assert json.loads(ours.recv(4096))["listen"].startswith("127.0.0.1:")
            process.terminate()
            log = [json.loads(line) for line in process.stdout.read().splitlines()]
    assert process.returncode == 0
    assert [line["event"] for line in log] == ["started", "draining", "stopped"]
