import socket
import subprocess

from support.proxy import COMMAND, clean_environ, running_proxy


def serve(tmp_path, *arguments):
    command = [*COMMAND, "serve", "--state-dir", str(tmp_path / "state"), "--admin", "off", *arguments]
    return subprocess.run(command, env=clean_environ(), capture_output=True, text=True, timeout=60, check=False)


def test_help_shows_examples(tmp_path):
    done = serve(tmp_path, "--help")

    assert done.returncode == 0
    assert "sluicegate serve --config sluicegate.yaml" in done.stdout
    assert "--ready-fd" not in done.stdout


def test_a_busy_port_is_two_lines_and_exit_2(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = serve(tmp_path, "--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--log-file", str(tmp_path / "log"))

    assert done.returncode == 2
    assert "Address already in use" in done.stderr
    assert "--listen" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_option_is_told_by_its_own_name(tmp_path):
    done = serve(tmp_path, "--rate-default", "10/fortnight")

    assert done.returncode == 2
    assert "--rate-default" in done.stderr
    assert "Traceback" not in done.stderr


def test_options_win_over_the_file(tmp_path):
    with running_proxy(tmp_path, arguments=("--admin", "off")) as proxy:
        assert proxy.admin == ""


def test_hints_say_what_to_paste(tmp_path):
    with running_proxy(tmp_path, arguments=("--hints",)):
        pass
    assert "eval" not in (tmp_path / "stderr.txt").read_text(), "whoever asks by descriptor needs no hints"

    command = [
        *COMMAND,
        "serve",
        "--state-dir",
        str(tmp_path / "s"),
        "--admin",
        "off",
        "--listen",
        "127.0.0.1:0",
        "--hints",
    ]
    with subprocess.Popen(
        command, env=clean_environ(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as served:
        told = ""
        while "Ctrl-C" not in told:
            line = served.stderr.readline()
            assert line, told
            told += line
        served.terminate()
    assert 'eval "$(' in told
    assert served.returncode == 0
