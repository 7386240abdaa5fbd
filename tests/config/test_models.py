import pytest
from pydantic import ValidationError

from sluicegate.config.models import HostLimit, Settings


def test_the_defaults_are_those_of_the_contract():
    assert Settings().model_dump(mode="json", exclude={"state_dir"}) == {
        "listen": "127.0.0.1:3128",
        "admin": "127.0.0.1:9090",
        "admin_token": None,
        "workers": 1,
        "log": {"file": None, "level": "info", "format": "auto", "rotate_size": "100MiB", "rotate_keep": 5},
        "limits": {
            "backend": "sqlite",
            "redis_url": "redis://127.0.0.1:6379/0",
            "max_inflight": 500,
            "default": {
                "rates": ["10/second"],
                "concurrency": 8,
                "max_wait": "1m",
                "max_queue": 10000,
                "burst": None,
            },
            "hosts": {},
        },
        "cache": {
            "mode": "shared",
            "store": "disk",
            "redis_url": "redis://127.0.0.1:6379/0",
            "redis_max_body": "8MiB",
            "max_size": "10GiB",
            "max_entry_size": "2GiB",
            "collapse": True,
            "finish_when_abandoned": "8MiB",
            "targeted": [],
            "stale": {"unreachable": "1d", "answer_after": "10s", "queue": None},
            "offline": False,
            "rules": [],
        },
        "https": {"mode": "intercept", "tunnel": [], "upstream_ca": None, "http2": False},
        "upstream": {
            "connect_timeout": "10s",
            "first_byte_timeout": "1m",
            "idle_timeout": "1m",
            "keepalive": "30s",
            "max_connections": 1000,
            "dns_cache": "30s",
        },
        "upstream_proxy": None,
        "access": {"allow": [], "users": {}, "allow_private": False},
        "drain_timeout": "30s",
        "header_limit": "64KiB",
    }


def test_what_is_shown_reads_to_the_same_settings():
    settings = Settings.model_validate(
        {
            "listen": "[::1]:0",
            "admin": "off",
            "workers": "auto",
            "limits": {"default": {"rates": "unlimited"}, "hosts": {"*.a.example": {"rates": ["1/3second", "9/hour"]}}},
            "https": {"tunnel": "bank.example", "upstream_ca": "/etc/ca.pem"},
            "access": {"allow": ["10.0.0.0/8", "2001:db8::/32"], "allow_private": True},
            "drain_timeout": "1500ms",
        }
    )

    assert Settings.model_validate(settings.model_dump(mode="json")) == settings


def test_secrets_are_not_printed():
    settings = Settings.model_validate(
        {
            "upstream_proxy": "http://u:hunter2@p:1",
            "limits": {"redis_url": "redis://:hunter2@h:1"},
            "admin_token": "hunter2-hunter2-hunter2",
        }
    )

    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_nothing_changes_after_loading():
    with pytest.raises(ValidationError):
        Settings().drain_timeout = 5


def test_a_host_says_only_what_it_says():
    assert HostLimit().model_dump(exclude_none=True) == {}
