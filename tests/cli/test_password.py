import yaml
from click.testing import CliRunner

from sluicegate.cli.main import group
from sluicegate.config.models import Settings
from sluicegate.config.passwords import verify_password


def test_the_line_is_ready_to_be_pasted():
    result = CliRunner().invoke(group, ["password", "ada"], input="correct horse\n")

    assert result.exit_code == 0
    users = yaml.safe_load(result.stdout)
    hashed = Settings.model_validate({"access": {"users": users}}).access.users["ada"].get_secret_value()
    assert verify_password("correct horse", hashed)


def test_an_empty_password_or_a_name_with_a_colon_is_refused():
    assert CliRunner().invoke(group, ["password", "ada"], input="\n").exit_code == 2
    assert CliRunner().invoke(group, ["password", "a:b"], input="x\n").exit_code == 2
