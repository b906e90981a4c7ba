"""The play page: what the network is said to have computed is what it computed, and who may ask."""

import base64
import copy
import http.client
import io
import json
import socket
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image

import minidl
from minidl import data, recipes, training
from minidl.play import look, make_server
from tests.no_pictures import no_pictures


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    with no_pictures():
        recipes.train(recipes.find("digits-cnn"), epochs=6, output=folder)
    return recipes.load_classifier(folder / recipes.CHECKPOINT)


@pytest.fixture(scope="module")
def ask(classifier):
    """A question to the server: (method, path, body) to (status, headers, what came)."""
    server = make_server(classifier)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def ask(method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=120)
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        found = reply.status, reply.headers, reply.read()
        connection.close()
        return found

    yield ask
    server.shutdown()
    server.server_close()
    thread.join(120)


def png(pixels):
    """A picture (H, W) in 0..1 as a file."""
    stream = io.BytesIO()
    Image.fromarray(np.uint8(pixels * 255)).save(stream, "PNG")
    return stream.getvalue()


def question(pixels):
    """A picture (H, W) in 0..1 as the page asks about it."""
    return asked(png(pixels))


def asked(content):
    return json.dumps({"picture": "data:image/png;base64," + base64.b64encode(content).decode()})


def bomb():
    """A picture of one pixel that claims to have 30,000 x 30,000."""
    content = bytearray(png(np.zeros((1, 1))))
    content[16:24] = struct.pack(">II", 30_000, 30_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return asked(content)


def without_palette():
    """A picture with transparent colours whose palette has another name: Pillow raises AssertionError."""
    stream = io.BytesIO()
    Image.new("P", (4, 4)).save(stream, "PNG", transparency=bytes(3))
    content = stream.getvalue()
    start = content.index(b"PLTE")
    end = start + 4 + int.from_bytes(content[start - 4 : start], "big")
    chunk = b"pLTE" + content[start + 4 : end]
    return asked(content[:start] + chunk + struct.pack(">I", zlib.crc32(chunk)) + content[end + 4 :])


def values(part):
    levels = np.frombuffer(base64.b64decode(part["data"]), np.uint8).astype(float)
    return (levels.reshape(part["count"], part["height"], part["width"]) - 128) / 127 * part["scale"]


def drawing(number):
    """A test digit, enlarged as if drawn on the page."""
    _, test = data.digits()
    return test.images[number, 0].repeat(20, 0).repeat(20, 1)


def test_a_look_shows_what_each_layer_gives(classifier):
    found = look(classifier, drawing(0)[None])
    x = classifier.prepare(drawing(0)[None])[None]
    logits = training.predict(classifier.model, x).numpy()[0]
    assert found["label"] == classifier.classes[logits.argmax()]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    np.testing.assert_allclose(list(found["probabilities"].values()), expected, rtol=1e-5)
    kinds = [layer["kind"] for layer in found["layers"]]
    assert kinds[:5] == ["Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d"] and kinds[-1] == "Linear"
    first, last = found["layers"][0], found["layers"][-1]
    with minidl.no_grad():
        y = classifier.model[0](minidl.Tensor(x)).numpy()[0]
    assert first["shape"] == [16, 8, 8]
    np.testing.assert_allclose(values(first["values"]), y, atol=np.abs(y).max() / 127)
    np.testing.assert_allclose(values(last["values"])[0, 0], logits, atol=np.abs(logits).max() / 127)
    np.testing.assert_allclose(values(found["seen"])[0], x[0, 0], atol=1 / 127)


def test_a_network_that_diverged_says_so(classifier):
    diverged = copy.deepcopy(classifier)
    with minidl.no_grad():
        diverged.model[-1].bias.fill_(np.nan)
    with pytest.raises(ValueError, match=r"the output of \d+ is not finite"):
        look(diverged, drawing(0)[None])


def test_the_gradient_is_the_slope_of_the_score(classifier):
    found = look(classifier, drawing(1)[None])
    x = classifier.prepare(drawing(1)[None])[None]
    label = classifier.classes.index(found["label"])
    dx = values(found["gradient"])[0]
    i, j = np.unravel_index(np.abs(dx).argmax(), dx.shape)
    nudge = np.zeros_like(x)
    nudge[0, 0, i, j] = 1e-2
    up, down = (training.predict(classifier.model, x + sign * nudge).numpy()[0, label] for sign in (1, -1))
    assert dx[i, j] == pytest.approx((up - down) / 2e-2, rel=0.05)


def test_looking_leaves_no_hook_and_no_gradient(classifier):
    look(classifier, drawing(0)[None])
    assert not any(module._forward_hooks for module in classifier.model.modules())
    assert all(parameter.grad is None for parameter in classifier.model.parameters())


def test_the_page_is_whole_and_asks_nobody_else(ask):
    status, headers, page = ask("GET", "/")
    text = page.decode()
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert "digits-cnn" in text and "{{" not in text
    assert "http:" not in text and "https:" not in text and "default-src 'none'" in headers["Content-Security-Policy"]


def test_a_drawing_is_answered_as_predict_does(ask, classifier):
    same = 0
    for number in range(10):
        status, _, reply = ask("POST", "/look", question(drawing(number)))
        result = json.loads(reply)
        same += result["label"] == classifier.predict(drawing(number)[None]).label
        assert status == 200
    assert same == 10


def test_an_empty_page_has_an_answer_too(ask):
    status, _, reply = ask("POST", "/look", question(np.zeros((280, 280))))
    assert status == 200 and sum(json.loads(reply)["probabilities"].values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("", 400, "the question must be"),
        ("[]", 400, "the question must be"),
        ("[" * 100_000, 400, "the question must be"),
        ('{"picture": 3}', 400, "the question must be"),
        ('{"picture": "data:image/gif;base64,AAAA"}', 400, "must start with data:image/png"),
        ('{"picture": "data:image/png;base64,!!"}', 400, "the question must be"),
        ('{"picture": "data:image/png;base64,AAAA"}', 400, "cannot be read as a PNG"),
        (bomb(), 400, "exceeds limit of"),
        (without_palette(), 400, "cannot be read as a PNG"),
        (question(np.zeros((2001, 2000))), 400, "at most 4,000,000 pixels, got 2000x2001"),
        (question(np.eye(300))[:200] + '"}', 400, ""),
    ],
)
def test_a_bad_question_is_refused_with_the_reason(ask, body, status, message):
    found, _, reply = ask("POST", "/look", body)
    assert found == status and message in json.loads(reply)["error"]


def test_what_is_too_large_or_comes_from_elsewhere_is_refused(ask):
    assert ask("POST", "/look", b"x", **{"Content-Length": "99999999"})[0] == 413
    assert ask("POST", "/look", b"x", **{"Content-Length": "\xb2"})[0] == 413  # a digit, but no number
    assert ask("POST", "/look", b"x", **{"Content-Length": "9" * 5000})[0] == 413  # Python converts at most 4300
    assert ask("GET", "/", Host="evil.example")[0] == 403
    assert ask("POST", "/look", question(drawing(0)), Host="evil.example:80")[0] == 403
    assert ask("GET", "/../secret")[0] == 404 and ask("POST", "/other", "{}")[0] == 404


def test_the_address_of_port_80_names_no_port(ask):
    assert [ask("GET", "/", Host=host)[0] for host in ("127.0.0.1", "localhost", "")] == [200, 200, 403]


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost:81", 200), ("http://evil.example", 403), ("http://localhost:82", 403), ("null", 403)],
)
def test_a_page_of_another_site_may_not_ask(ask, origin, status):
    assert ask("POST", "/look", question(drawing(0)), Host="localhost:81", Origin=origin)[0] == status


def test_two_questions_at_once_have_their_own_answers(ask):
    questions = [question(drawing(number)) for number in range(8)]
    alone = [ask("POST", "/look", text)[2] for text in questions]
    together = [None] * 8

    def one(number):
        together[number] = ask("POST", "/look", questions[number])[2]

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_it_listens_on_this_machine_alone_and_names_a_port_that_cannot_be_used(classifier):
    with make_server(classifier) as server:
        assert server.server_address[0] == "127.0.0.1"
        with pytest.raises(ValueError, match=f"port {server.server_port} cannot be used: .*in use; 0 takes a free one"):
            make_server(classifier, server.server_port)
    with pytest.raises(ValueError, match="port 99999 cannot be used: .*0-65535; 0 takes a free one"):
        make_server(classifier, 99999)


def test_a_page_that_is_closed_while_it_is_answered_prints_nothing(classifier, capsys):
    before = set(threading.enumerate())
    with make_server(classifier) as server:
        threading.Thread(target=server.serve_forever).start()
        body = question(drawing(0)).encode()
        head = f"POST /look HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        for content in (head[:30], head + body[:9], head + body):
            with socket.create_connection(server.server_address) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close by a reset
                connection.sendall(content)
        server.shutdown()
        for answering in set(threading.enumerate()) - before:
            answering.join(120)
    assert capsys.readouterr().err == ""
