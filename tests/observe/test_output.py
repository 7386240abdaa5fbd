import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sluicegate.errors import StartError
from sluicegate.observe.output import FileOutput, StreamOutput


@pytest.fixture
def open_file(tmp_path):
    opened = []

    def open_it(name="proxy.log", **options):
        opened.append(FileOutput(tmp_path / name, **options))
        return opened[-1]

    yield open_it
    for output in opened:
        output.close()


def test_a_new_file_and_its_directories_are_made_and_others_cannot_read_them(tmp_path, open_file):
    open_file("logs/deep/proxy.log").write(b"one\n")

    path = tmp_path / "logs/deep/proxy.log"
    assert path.read_bytes() == b"one\n"
    assert stat.S_IMODE(path.stat().st_mode) & 0o037 == 0
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o027 == 0


def test_an_existing_file_is_continued(tmp_path, open_file):
    (tmp_path / "proxy.log").write_bytes(b"before\n")

    open_file().write(b"after\n")

    assert (tmp_path / "proxy.log").read_bytes() == b"before\nafter\n"


def test_a_file_over_its_size_is_set_aside_and_the_oldest_is_forgotten(tmp_path, open_file):
    output = open_file(rotate_size=10, rotate_keep=2)

    for number in range(5):
        output.write(b"line %d\n" % number)

    contents = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert contents == {"proxy.log": b"line 4\n", "proxy.log.1": b"line 3\n", "proxy.log.2": b"line 2\n"}


def test_without_old_files_to_keep_the_file_starts_anew(tmp_path, open_file):
    output = open_file(rotate_size=10, rotate_keep=0)

    output.write(b"line 1\n")
    output.write(b"line 2\n")

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"line 2\n"]


def test_a_batch_larger_than_the_size_is_written_whole(tmp_path, open_file):
    open_file(rotate_size=10).write(b"x" * 100 + b"\n")

    assert (tmp_path / "proxy.log").stat().st_size == 101


@pytest.mark.parametrize("others", [b"", b"another\n"])
def test_half_a_line_of_a_process_that_was_killed_is_taken_back(tmp_path, open_file, others):
    output = open_file()
    output.write(b"one\n")
    with (tmp_path / "proxy.log").open("ab") as file:
        file.write(others + b'{"half":')

    output.write(b"two\n")

    assert (tmp_path / "proxy.log").read_bytes() == b"one\n" + others + b"two\n"


def test_what_was_in_the_file_before_is_left_alone(tmp_path, open_file):
    (tmp_path / "proxy.log").write_bytes(b"somebody's last words")

    open_file().write(b"one\n")

    assert (tmp_path / "proxy.log").read_bytes() == b"somebody's last wordsone\n"


def test_a_file_that_logrotate_moved_away_is_made_anew(tmp_path, open_file):
    output = open_file()
    output.write(b"one\n")
    (tmp_path / "proxy.log").rename(tmp_path / "moved")

    output.write(b"two\n")

    assert (tmp_path / "moved").read_bytes() == b"one\n"
    assert (tmp_path / "proxy.log").read_bytes() == b"two\n"


def test_a_directory_that_is_gone_is_an_error_until_it_can_be_made_again(tmp_path, open_file):
    output = open_file("logs/proxy.log")
    (tmp_path / "logs/proxy.log").unlink()
    (tmp_path / "logs").rmdir()
    (tmp_path / "logs").write_text("in the way")
    with pytest.raises(OSError, match=r"exists|directory"):
        output.write(b"one\n")

    (tmp_path / "logs").unlink()
    output.write(b"two\n")

    assert (tmp_path / "logs/proxy.log").read_bytes() == b"two\n"


def test_a_file_that_cannot_be_opened_is_a_start_error_that_says_what_to_do(tmp_path):
    with pytest.raises(StartError, match=r"The log file .* cannot be written") as caught:
        FileOutput(tmp_path)

    assert "--log-file" in caught.value.advice


WRITE_MANY = """
import sys
from pathlib import Path
from sluicegate.observe.output import FileOutput
output = FileOutput(Path(sys.argv[1]), rotate_size=600, rotate_keep=300)
print("ready", flush=True)
sys.stdin.readline()
for batch in range(60):
    output.write(b"".join(b'{"who":%d,"batch":%d,"line":%d}\\n' % (int(sys.argv[2]), batch, n) for n in range(20)))
"""


def test_several_processes_share_a_rotating_file_without_losing_or_tearing_a_line(tmp_path):
    path = tmp_path / "proxy.log"
    start = [sys.executable, "-c", WRITE_MANY, path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*start, str(who)], **pipes) for who in range(3)]
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 3
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        with writer:
            assert writer.wait(60) == 0

    lines = [json.loads(line) for file in tmp_path.iterdir() for line in file.read_text().splitlines()]

    assert len(list(tmp_path.iterdir())) > 10
    assert sorted((line["who"], line["batch"], line["line"]) for line in lines) == [
        (who, batch, number) for who in range(3) for batch in range(60) for number in range(20)
    ]


FILL_UP = """
import resource, signal, sys
from pathlib import Path
from sluicegate.observe.output import FileOutput
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (25, resource.RLIM_INFINITY))
output = FileOutput(Path(sys.argv[1]))
output.write(b"0123456789\\n")
try:
    output.write(b"0123456789\\n0123456789\\n")
except OSError as error:
    print("failed")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
output.write(b"room again\\n")
"""


def test_on_a_full_disk_no_part_of_a_line_stays_behind(tmp_path):
    path = tmp_path / "proxy.log"

    done = subprocess.run(
        [sys.executable, "-c", FILL_UP, path], check=False, capture_output=True, text=True, timeout=60
    )

    assert (done.stdout, done.stderr) == ("failed\n", "")
    assert path.read_bytes() == b"0123456789\nroom again\n"


def read_all(descriptor: int, into: list[bytes]) -> None:
    while data := os.read(descriptor, 1 << 16):
        into.append(data)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_pipe_gets_all_lines_in_order_whatever_its_reader_takes_at_once(blocking):
    reading, writing = os.pipe()
    os.set_blocking(writing, blocking)
    received: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(reading, received))
    reader.start()
    lines = b"".join(b"%d %s\n" % (number, b"x" * (number % 9000)) for number in range(200))

    StreamOutput(writing).write(lines)

    os.close(writing)
    reader.join(30)
    os.close(reading)
    assert b"".join(received) == lines


WRITE_LONG_LINES = """
import sys
from sluicegate.observe.output import StreamOutput
output = StreamOutput(1)
sys.stdin.readline()
for batch in range(40):
    output.write(b"".join(b"%s %d %d\\n" % (sys.argv[1].encode() * size, batch, size) for size in (10, 300_000, 10)))
"""


@pytest.mark.parametrize("through", ["pipe", "socket"])
def test_lines_of_several_processes_into_one_stream_are_whole_however_long(through):
    if through == "pipe":
        reading, writing = os.pipe()
    else:
        reading, writing = (end.detach() for end in socket.socketpair())
    start = [sys.executable, "-c", WRITE_LONG_LINES]
    writers = [
        subprocess.Popen([*start, who], stdin=subprocess.PIPE, stdout=writing, text=True, bufsize=1) for who in "abc"
    ]
    os.close(writing)
    received: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(reading, received))
    reader.start()
    for writer in writers:
        writer.stdin.write("go\n")
    for writer in writers:
        with writer:
            assert writer.wait(60) == 0
    reader.join(30)
    os.close(reading)

    lines = [line.split() for line in b"".join(received).decode().splitlines()]
    assert sorted((text, int(batch)) for text, batch, _ in lines) == sorted(
        (who * size, batch) for who in "abc" for batch in range(40) for size in (10, 300_000, 10)
    )


def test_into_a_pipe_go_pieces_of_whole_lines_that_the_kernel_keeps_together(monkeypatch):
    reading, writing = os.pipe()
    written: list[bytes] = []
    monkeypatch.setattr("os.write", lambda _fd, data: written.append(bytes(data)) or len(data))

    StreamOutput(writing).write(b"x" * 99 + b"\n" + b"y" * 9000 + b"\n" + b"z" * 99 + b"\n")

    monkeypatch.undo()
    os.close(reading)
    os.close(writing)
    assert [len(piece) for piece in written] == [100, 9001, 100]


def test_a_pipe_nobody_reads_is_an_error():
    reading, writing = os.pipe()
    os.close(reading)

    with pytest.raises(BrokenPipeError):
        StreamOutput(writing).write(b"line\n")

    os.close(writing)


def test_closing_a_stream_output_leaves_the_descriptor_to_its_owner(tmp_path):
    with Path(tmp_path / "out").open("wb") as file:
        output = StreamOutput(file.fileno())
        output.close()
        output.write(b"still there\n")

    assert (tmp_path / "out").read_bytes() == b"still there\n"
