from sluicegate.cli.cache.selecting import selections
from sluicegate.config.compile import cache_keys
from sluicegate.config.models import Settings
from sluicegate.upkeep.selection import Selection

NOTHING = {"urls": (), "prefix": None, "host": None, "tag": None, "older_than": None, "newer_than": None}


def test_conditions_hold_for_each_url():
    meant = selections(NOTHING | {"urls": ("http://a.example/", "http://b.example/"), "tag": "t"}, Settings())

    assert meant == [Selection(url="http://a.example/", tag="t"), Selection(url="http://b.example/", tag="t")]


def test_without_urls_there_is_one_selection():
    assert selections(NOTHING, Settings()) == [Selection()]
    assert selections(NOTHING | {"older_than": 5.0, "host": "a"}, Settings()) == [Selection(host="a", older_than_s=5.0)]


def test_a_url_has_the_key_under_the_rules_and_the_one_without():
    settings = Settings.model_validate({"cache": {"rules": [{"hosts": ["a.example"], "ignore_query": ["b"]}]}})

    assert cache_keys("http://a.example/?a=1&b=2", settings) == ["http://a.example/?a=1", "http://a.example/?a=1&b=2"]
    assert cache_keys("http://b.example/?a=1&b=2", settings) == ["http://b.example/?a=1&b=2"]
