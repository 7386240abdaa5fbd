from sluicegate.admin.dashboard import PAGE, POLICY, policy_for


async def test_the_dashboard_may_load_nothing_from_elsewhere(ask):
    status, headers, body = await ask("/")

    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert policy.count("'sha256-") == 2
    assert "http://" not in body
    assert "https://" not in body


def test_a_page_with_another_script_needs_another_policy():
    one, other = "<script>1</script><style>a</style>", "<script>2</script><style>a</style>"

    assert policy_for(one) != policy_for(other)
    assert policy_for(PAGE) == POLICY
