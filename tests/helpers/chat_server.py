"""A real HTTP server that speaks chat completions and misbehaves as a test tells it to."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def good(text: str = "Label: neutral\nExplanation: So it is.") -> dict:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}


class ChatServer:
    """Attributes:
    script: called with (number of the request from 0, its body) → (status, headers, body as dict
        or text), "drop" (the connection breaks), "cut" (half an answer) or seconds to say nothing.
    models: names that GET /v1/models lists; None answers 404.
    asked: bodies of all requests; times: when they came; keys: their Authorization.
    """

    def __init__(self):
        self.script = lambda number, body: (200, {}, good())
        self.models = ["m"]
        self.asked, self.times, self.keys, self.under_way, self.most = [], [], [], 0, 0
        self._lock = threading.Lock()

    def enter(self, body, key):
        with self._lock:
            self.asked.append(body)
            self.times.append(time.monotonic())
            self.keys.append(key)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            return len(self.asked) - 1

    def leave(self):
        with self._lock:
            self.under_way -= 1


@contextmanager
def serving():
    chat = ChatServer()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            known = chat.models is not None and self.path.endswith("/models")
            listed = [{"id": name, "object": "model"} for name in chat.models or []]
            data = json.dumps({"object": "list", "data": listed}).encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = chat.enter(body, self.headers.get("Authorization", ""))
            try:
                told = chat.script(number, body)
                if isinstance(told, (int, float)):
                    time.sleep(told)
                    told = (200, {}, good())
            finally:
                chat.leave()  # before it is answered: whoever has the answer asks the next thing
            self._answer(told)

        def _answer(self, told):
            if told == "drop":
                self.close_connection = True
                self.connection.close()
                return
            status, headers, content = (200, {}, good()) if told == "cut" else told
            text = content if isinstance(content, str) else json.dumps(content)
            data = text.encode()
            try:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2] if told == "cut" else data)
            except OSError:
                pass  # who asked has gone
            if told == "cut":
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    chat.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    chat.close = lambda: (server.shutdown(), server.server_close())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield chat
    finally:
        chat.close()
        thread.join()


@contextmanager
def serving_client(monkeypatch):
    """A server that the project's client reaches without a proxy and asks again at once."""
    from capo_core.imitation.backends import openai

    monkeypatch.setattr(openai, "FIRST_WAIT_S", 0.01)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving() as server:
        yield server
