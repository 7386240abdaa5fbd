"""A stand-in for `sluicegate serve`: says it is ready, answers /api/status, ends on SIGTERM.

What it does is set by the variable STAND_IN, a JSON object: `totals`, `dies` (exit code before it is ready), `hangs`
(never ready), `stubborn` (only the second SIGTERM ends it),
`deaf` (none does). It notes its command line and its signals in `notes`.
"""

import argparse
import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

plan = json.loads(os.environ.get("STAND_IN", "{}"))


def note(text: str) -> None:
    if "notes" in plan:
        with Path(plan["notes"]).open("a") as file:
            file.write(f"{text}\n")


class Status(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"totals": plan.get("totals", {})}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ready-fd", type=int, required=True)
    parser.add_argument("--listen")
    ready = os.fdopen(parser.parse_known_args()[0].ready_fd, "r+b", buffering=0)
    note(f"arguments {json.dumps(sys.argv[1:])}")
    note(f"pid {os.getpid()} session {os.getsid(0)}")

    if "dies" in plan:
        print("Error: port 3128 is in use", file=sys.stderr)
        sys.exit(plan["dies"])

    terms = threading.Semaphore(0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: (note(f"signal {got}"), terms.release()))

    admin = ThreadingHTTPServer(("127.0.0.1", 0), Status)
    threading.Thread(target=admin.serve_forever, daemon=True).start()
    note("up")
    if "hangs" not in plan:
        address = f"127.0.0.1:{admin.server_port}"
        ready.write(json.dumps({"listen": "127.0.0.1:4128", "admin": address, "ca": "x"}).encode() + b"\n")

    threading.Thread(target=lambda: (ready.read(1), note("orphaned"), terms.release()), daemon=True).start()
    for _ in range(1_000 if "deaf" in plan else 2 if "stubborn" in plan else 1):
        while not terms.acquire(timeout=0.05):  # a wait with no bound would not let the handlers run
            pass
    note("ended")


main()
