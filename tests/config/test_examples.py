from pathlib import Path

import pytest

from sluicegate.config.advice import advise
from sluicegate.config.compile import limit_table
from sluicegate.config.load import load_settings
from sluicegate.core.limits.rates import format_rates

DIRECTORY = Path(__file__).parents[2] / "config"


def limits_of(name, *hosts):
    table = limit_table(load_settings(DIRECTORY / name).settings)
    return {host: format_rates(table.match(host)[0].rates) for host in hosts}


@pytest.mark.parametrize(
    ("name", "remarks"), [("sluicegate.yaml", 0), ("crawler.yaml", 0), ("api-quota.yaml", 0), ("sidecar.yaml", 1)]
)
def test_an_example_loads_and_only_the_sidecars_open_admin_page_is_remarked_on(name, remarks):
    assert len(advise(load_settings(DIRECTORY / name).settings)) == remarks


def test_the_crawler_is_polite_to_everyone_but_its_own_site():
    assert limits_of("crawler.yaml", "any.example", "de.wikipedia.org", "www.example.com") == {
        "any.example": "1/second 1000/hour",
        "de.wikipedia.org": "1/3second",
        "www.example.com": "unlimited",
    }


def test_the_quota_is_the_apis():
    assert limits_of("api-quota.yaml", "api.example.com", "other.example") == {
        "api.example.com": "5/second 1000/hour 20000/day",
        "other.example": "10/second",
    }


def test_the_sidecars_commented_alternative_loads_too(tmp_path):
    text = (DIRECTORY / "sidecar.yaml").read_text().replace("listen: 127.0.0.1:3128\n", "", 1)
    file = tmp_path / "sidecar.yaml"
    file.write_text(text.replace("#   ", ""))

    assert str(load_settings(file).settings.listen) == "0.0.0.0:3128"
