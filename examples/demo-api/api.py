"""A small API: POST /v1/login, GET /v1/orders/ID, GET /v1/customers. Standard library only."""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PASSWORDS = {f"user{n}": f"right-{n}" for n in range(50)}


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if order := re.fullmatch(r"/v1/orders/(\d+)", self.path):
            self.answer(200, {"id": int(order[1]), "total": 42.5, "items": ["tea", "cup"]})
        elif self.path == "/v1/customers":
            # The leak: names and addresses, to whoever asks.
            self.answer(200, [{"id": n, "email": f"user{n}@shop.example"} for n in range(200)])
        else:
            self.answer(404, {"error": "not found"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/v1/login":
            return self.answer(404, {"error": "not found"})
        try:
            said = json.loads(body)
            is_right = PASSWORDS.get(said["username"]) == said["password"]
        except (ValueError, KeyError, TypeError):
            return self.answer(400, {"error": "not understood"})
        if is_right:
            self.answer(200, {"token": f"token-of-{said['username']}"})
        else:
            self.answer(401, {"error": "wrong user name or password"})

    def answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    ThreadingHTTPServer(("", port), Api).serve_forever()
