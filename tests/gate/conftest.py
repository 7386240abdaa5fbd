import pytest

from support.gatekit import Kit


@pytest.fixture
async def kit():
    """Makes gates that are closed in the end."""
    kits = []

    def make(*args, **options):
        kits.append(Kit(*args, **options))
        return kits[-1]

    yield make
    for made in kits:
        await made.close()
