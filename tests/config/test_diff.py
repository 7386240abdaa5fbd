from sluicegate.config.diff import compare
from sluicegate.config.models import Settings


def changes(old, new):
    return compare(Settings.model_validate(old), Settings.model_validate(new))


def test_nothing_changed():
    found = changes({"cache": {"mode": "off"}}, {"cache": {"mode": "off"}})

    assert not found
    assert (found.live, found.needs_restart) == ([], [])


def test_what_takes_effect_live():
    found = changes(
        {"limits": {"hosts": {"gone.example": {"rates": "1/second"}, "a.example": {"rates": "1/second"}}}},
        {
            "limits": {
                "hosts": {"a.example": {"rates": "2/second"}, "new.example": {}},
                "max_inflight": 5,
                "default": {"concurrency": 1},
            },
            "log": {"level": "debug"},
            "https": {"mode": "tunnel", "tunnel": ["x.example"]},
            "access": {"allow": ["10.0.0.0/8"]},
            "cache": {
                "mode": "off",
                "max_size": "1GiB",
                "collapse": False,
                "finish_when_abandoned": 0,
                "targeted": "CDN-Cache-Control",
                "stale": {"queue": "5s"},
                "offline": True,
                "rules": [{"ttl": "1m"}],
            },
            "upstream": {"idle_timeout": "5s"},
        },
    )

    assert found.needs_restart == []
    assert found.live == [
        "log.level",
        "limits.max_inflight",
        "limits.default.concurrency",
        'limits.hosts."gone.example"',
        'limits.hosts."a.example".rates',
        'limits.hosts."new.example"',
        "cache.mode",
        "cache.max_size",
        "cache.collapse",
        "cache.finish_when_abandoned",
        "cache.targeted",
        "cache.stale.queue",
        "cache.offline",
        "cache.rules",
        "https.mode",
        "https.tunnel",
        "upstream.idle_timeout",
        "access.allow",
    ]


def test_what_needs_a_restart():
    found = changes(
        {},
        {
            "listen": "127.0.0.1:1",
            "admin": "off",
            "admin_token": "a-new-token-0123456789",
            "state_dir": "/x",
            "workers": "auto",
            "limits": {"backend": "memory"},
            "cache": {"store": "memory"},
            "upstream_proxy": "http://u:a@p:1",
            "https": {"upstream_ca": "/ca.pem"},
        },
    )

    assert found.live == []
    assert found.needs_restart == [
        "listen",
        "admin",
        "admin_token",
        "state_dir",
        "workers",
        "limits.backend",
        "cache.store",
        "https.upstream_ca",
        "upstream_proxy",
    ]


def test_a_changed_password_is_a_change():
    found = changes({"upstream_proxy": "http://u:a@p:1"}, {"upstream_proxy": "http://u:b@p:1"})

    assert found.needs_restart == ["upstream_proxy"]
