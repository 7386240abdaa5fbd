"""The lane as mitmproxy drives it: events in, commands out, nothing else running."""

from mitmproxy.connection import Client, ConnectionState
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpLayer

from sluicegate.errors import BadRequest
from sluicegate.proxy.direct import TOGETHER, Attention
from sluicegate.proxy.lane import MAX_PIPELINED, Lane, NextPieceHook

GET = b"GET http://up.test/%d HTTP/1.1\r\nHost: up.test\r\n\r\n"


class Conversation:
    def __init__(self, name, *, close_after=False):
        self.name = name
        self.close_after = close_after
        self.abandoned = False

    def abandon(self):
        self.abandoned = True


class Transport:
    def __init__(self):
        self.reading = True

    def is_closing(self):
        return False

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True


class Socket:
    """Stands in for `direct.Direct`."""

    def __init__(self):
        self.sent = []
        self.conversations = 0
        self.roused = 0
        self.restored = False

    def heard(self):
        pass

    def send(self, data):
        self.sent.append(data)

    def begin(self):
        self.conversations += 1

    def rouse(self):
        self.roused += 1

    def restore(self):
        self.restored = True


class Host:
    """Stands in for the addon: keeps what it was asked."""

    header_limit = 1000
    draining = False

    def __init__(self):
        self.asked = []
        self.conversations = []
        self.client = Transport()
        self.socket = None
        """What `direct` gives: None sends every piece through the layers."""
        self.memory = {}
        """What is answered at once, by target."""

    def at_once(self, _context, incoming):
        return self.memory.get(incoming.head.target)

    def converse(self, _context, incoming, _sink):
        self.asked.append(incoming.head.target)
        self.conversations.append(Conversation(incoming.head.target, close_after=not incoming.keep_alive))
        return self.conversations[-1]

    def refuse(self, _context, error, _sink):
        self.asked.append(type(error))
        self.conversations.append(Conversation("refusal", close_after=True))
        return self.conversations[-1]

    def direct(self, _context, receiver, on_end):
        if self.socket is not None:
            self.socket.receiver, self.socket.on_end = receiver, on_end
        return self.socket

    def transport(self, _context):
        return self.client


def options():
    made = Options()
    made.add_option("validate_inbound_headers", bool, True, "")
    made.add_option("body_size_limit", str | None, None, "")
    return made


class Play:
    """Feeds a lane and notes what it commands; hooks are answered by `piece`."""

    def __init__(self):
        self.client = Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), state=ConnectionState.OPEN)
        self.context = Context(self.client, options())
        self.host = Host()
        self.lane = Lane(self.context, self.host)
        self.commands = []
        self.hook = None
        self.feed(events.Start())

    def feed(self, event):
        for command in self.lane.handle_event(event):
            if isinstance(command, NextPieceHook):
                self.hook = command
            else:
                self.commands.append(command)

    def data(self, data):
        self.feed(events.DataReceived(self.client, data))

    def piece(self, data, *, last=True):
        """What the addon's hook does when the engine has something."""
        hook, self.hook = self.hook, None
        hook.turn.piece, hook.turn.last = data, last
        self.feed(events.HookCompleted(hook))

    @property
    def sent(self):
        return [command.data for command in self.commands if isinstance(command, commands.SendData)]

    @property
    def closed(self):
        return any(isinstance(command, commands.CloseConnection) for command in self.commands)


def test_a_request_is_answered_piece_by_piece_and_the_connection_kept():
    play = Play()
    play.data(GET % 1)
    play.piece(b"head", last=False)
    play.piece(b"body")

    assert play.sent == [b"head", b"body"]
    assert not play.closed
    play.data(GET % 2)
    assert play.host.asked == ["/1", "/2"]


def test_pipelined_requests_are_answered_one_after_the_other():
    play = Play()
    play.data(GET % 1 + GET % 2 + GET % 3)
    assert play.host.asked == ["/1"]
    play.piece(b"1")
    assert play.host.asked == ["/1", "/2"]
    play.piece(b"2")
    play.piece(b"3")

    assert play.sent == [b"1", b"2", b"3"]


def test_a_request_that_comes_while_another_is_answered_waits_for_its_turn():
    play = Play()
    play.data(GET % 1)
    play.data(GET % 2)
    assert play.host.asked == ["/1"]
    play.piece(b"1")

    assert play.host.asked == ["/1", "/2"]


def test_a_client_that_pipelines_without_end_is_not_read_from():
    play = Play()
    play.data(b"".join(GET % number for number in range(MAX_PIPELINED + 5)))
    assert not play.host.client.reading
    for _ in range(10):
        play.piece(b"x")

    assert play.host.client.reading


def test_the_connection_ends_with_a_response_that_says_so():
    play = Play()
    play.data(b"GET http://up.test/ HTTP/1.0\r\n\r\n")
    play.piece(b"all")

    assert play.sent == [b"all"]
    assert play.closed


def test_while_draining_every_response_is_the_last():
    play = Play()
    play.host.draining = True
    play.data(GET % 1)
    play.piece(b"all")

    assert play.closed


def test_a_client_that_leaves_is_noticed_at_once_though_the_lane_is_paused():
    play = Play()
    play.data(GET % 1)
    play.feed(events.ConnectionClosed(play.client))
    assert play.host.conversations[0].abandoned
    play.piece(b"too late")

    assert play.sent == []
    assert play.closed


def test_requests_of_a_client_that_left_are_not_begun():
    play = Play()
    play.data(GET % 1 + GET % 2)
    play.feed(events.ConnectionClosed(play.client))
    play.piece(b"")

    assert play.host.asked == ["/1"]


def test_garbage_is_refused_and_the_client_may_still_read_why():
    play = Play()
    play.data(b"\x00\x01\x02 garbage\r\n\r\n")
    play.piece(b"400")

    assert play.host.asked == [BadRequest]
    assert play.sent == [b"400"]
    (half_close,) = [command for command in play.commands if isinstance(command, commands.CloseTcpConnection)]
    assert half_close.half_close
    (wakeup,) = [command for command in play.commands if isinstance(command, commands.RequestWakeup)]
    play.data(b"more garbage")
    play.feed(events.Wakeup(wakeup))
    assert isinstance(play.commands[-1], commands.CloseConnection)


def test_an_unread_upload_is_thrown_away_while_the_client_reads_the_refusal():
    play = Play()
    play.data(b"POST http://up.test/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome")
    play.host.conversations[0].close_after = True
    play.piece(b"429")
    play.data(b"x" * 100_000)

    assert play.sent == [b"429"]
    assert play.commands[-1].__class__ is commands.RequestWakeup


def test_connect_goes_to_mitmproxys_own_layer_with_every_byte():
    play = Play()
    play.data(b"CONNECT up.test:443 HTTP/1.1\r\nHost: up.test:443\r\n\r\n")

    assert isinstance(play.context.layers[-1], HttpLayer) or any(
        isinstance(layer, HttpLayer) for layer in play.context.layers
    )
    assert play.lane not in play.context.layers
    assert play.host.asked == []


def test_inside_a_tunnel_the_origin_is_the_tunnels():
    play = Play()
    play.context.server.address = ("Up.Test", 8080)
    lane = Lane(play.context, play.host)
    list(lane.handle_event(events.Start()))
    list(lane.handle_event(events.DataReceived(play.client, b"GET /in HTTP/1.1\r\nHost: up.test:8080\r\n\r\n")))

    assert play.host.asked == ["/in"]


def direct_play():
    play = Play()
    play.host.socket = Socket()
    return play, play.host.socket


def test_where_nothing_stands_above_it_mitmproxy_is_only_needed_to_close():
    play, socket = direct_play()
    play.data(GET % 1 + GET % 2)
    assert play.hook is None
    assert play.host.asked == ["/1"]
    socket.on_end()
    assert play.host.asked == ["/1", "/2"]
    assert socket.roused == 0
    play.host.conversations[1].close_after = True
    socket.on_end()
    assert socket.roused == 1
    play.feed(Attention(play.client))

    assert play.sent == []
    assert play.closed


def test_bytes_from_the_socket_itself_are_requests_like_any_others():
    play, socket = direct_play()
    play.data(GET % 1)
    socket.receiver.take(GET % 2)
    assert play.host.asked == ["/1"]
    socket.on_end()

    assert play.host.asked == ["/1", "/2"]


def test_a_client_that_leaves_a_direct_conversation_is_noticed_and_closed_once_it_has_ended():
    play, socket = direct_play()
    play.data(GET % 1)
    play.feed(events.ConnectionClosed(play.client))
    assert play.host.conversations[0].abandoned
    assert not play.closed
    play.host.conversations[0].close_after = True
    socket.on_end()
    play.feed(Attention(play.client))

    assert play.closed


def test_what_is_in_memory_is_answered_in_its_turn():
    play, socket = direct_play()
    play.host.memory = {"/2": b"two", "/3": b"three", "/5": b"five"}
    play.data(GET % 1)
    socket.receiver.take(b"".join(GET % number for number in (2, 3, 4, 5)))
    assert socket.sent == []
    socket.on_end()
    assert socket.sent == [b"twothree"]
    assert play.host.asked == ["/1", "/4"]
    socket.on_end()

    assert socket.sent == [b"twothree", b"five"]


def test_through_other_layers_too_what_is_in_memory_is_answered_in_its_turn():
    play = Play()
    play.host.memory = {"/1": b"one", "/3": b"three"}
    play.data(GET % 1 + GET % 2 + GET % 3)
    assert play.sent == [b"one"]
    play.piece(b"two")

    assert play.sent == [b"one", b"two", b"three"]
    assert play.host.asked == ["/2"]


def test_a_client_that_does_not_read_its_answers_gets_no_more_of_them():
    play, socket = direct_play()
    play.host.memory = {f"/{number}": b"x" * (TOGETHER + 1) for number in range(5)}
    play.data(GET % 0)
    socket.receiver.clogged(True)
    socket.receiver.take(GET % 1 + GET % 2)
    assert socket.sent == []
    socket.receiver.clogged(False)

    assert len(socket.sent) == 2


def test_a_client_that_clogs_up_in_the_middle_of_a_batch_gets_the_rest_when_it_has_caught_up():
    play, socket = direct_play()
    play.host.memory = {f"/{number}": b"x" * (TOGETHER + 1) for number in range(5)}
    send = socket.send

    def clog(data):
        send(data)
        socket.receiver.clogged(True)

    socket.send = clog
    play.data(GET % 0)
    socket.receiver.take(GET % 1 + GET % 2 + GET % 3)
    assert len(socket.sent) == 1
    socket.receiver.clogged(False)

    assert len(socket.sent) == 2


def test_through_other_layers_a_client_is_waited_for_before_it_gets_more_than_a_batch():
    play = Play()
    play.host.memory = {f"/{number}": b"x" * (TOGETHER + 1) for number in range(5)}
    play.data(GET % 0 + GET % 1)

    assert len(play.sent) == 1
    assert play.hook is not None


def test_a_change_of_protocol_gives_the_socket_back_to_mitmproxy():
    play, socket = direct_play()
    play.data(GET % 1)
    socket.receiver.take(b"CONNECT up.test:443 HTTP/1.1\r\nHost: up.test:443\r\n\r\n")
    socket.on_end()
    assert socket.roused == 1
    assert not socket.restored
    play.feed(Attention(play.client))

    assert socket.restored
    assert play.lane not in play.context.layers


def test_mitmproxy_is_roused_once_however_much_still_comes():
    play, socket = direct_play()
    play.data(GET % 1)
    play.host.conversations[0].close_after = True
    socket.on_end()
    socket.receiver.take(GET % 2)
    socket.receiver.take(GET % 3)

    assert socket.roused == 1
    assert play.host.asked == ["/1"]
