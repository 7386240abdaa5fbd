"""What every row of the benchmark is given: the servers, how long to ask them, and where the samples go."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Results
from bench.subjects import NGINX, Origin, Subject


@dataclass(frozen=True)
class World:
    """One run of the benchmark."""

    directory: Path
    """For whatever a row needs on disk; gone at the end. Open to other users."""
    origin: Origin | None
    """None when no row needs one."""
    proxies: dict[str, Subject]
    absent: frozenset[str]
    """Subjects that cannot be started here."""
    seconds: int
    rounds: int
    full: bool = False
    results: Results = field(default_factory=Results)

    def subject(self, name: str) -> Subject | None:
        """Who is called so; None when absent."""
        return self.origin if name == NGINX else self.proxies.get(name)

    def home(self, name: str) -> Path:
        """A new directory."""
        path = self.directory / name
        path.mkdir()
        path.chmod(0o755)
        return path

    def tell(self, text: str) -> None:
        """Show whoever waits how far it is."""
        print(text, file=sys.stderr, flush=True)
