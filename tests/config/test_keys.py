from sluicegate.config.keys import all_keys, key_at, names_in


def test_every_key_has_a_description_and_says_what_is_allowed():
    for key in all_keys():
        if key.path[-1] != "*":
            assert key.description, key.name
        assert key.allowed or key.section, key.name


def test_keys_that_users_name_are_found():
    assert key_at(("limits", "hosts", "api.example.com", "rates")).name == "limits.hosts.<name>.rates"
    assert key_at(("access", "users", "bob")).allowed == "the output of `sluicegate password`"
    assert key_at(("access", "allow", 3)).name == "access.allow"
    assert key_at(("cache", "rules", 0, "ttl")).name == "cache.rules.ttl"
    assert key_at(("nothing",)) is None


def test_sections_list_their_names():
    assert "listen" in names_in(())
    assert names_in(("https",)) == ["mode", "tunnel", "upstream_ca", "http2"]
    assert names_in(("limits", "hosts", "x.example")) == ["rates", "concurrency", "max_wait", "max_queue", "burst"]
    assert names_in(("limits", "hosts")) == []
    assert names_in(("cache", "rules", 7))[:3] == ["hosts", "paths", "ttl"]
    assert names_in(("listen",)) == []
