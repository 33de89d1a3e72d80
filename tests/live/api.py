"""The small API behind nginx in tests/live: products, orders that ask for a token, a login, an export that asks for
nothing. Listens on the port that is given."""

import http.server
import json
import sys


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/v1/products":
            self.answer(200, [{"name": f"Mug {n}", "price": n * 100} for n in range(20)])
        elif path.startswith("/v1/orders/"):
            is_known = self.headers.get("Authorization", "").startswith("Bearer ")
            self.answer(*((200, {"total": 1200, "state": "paid"}) if is_known else (401, {"error": "who are you?"})))
        elif path == "/internal/customers":
            people = range(40)
            self.answer(200, [{"name": f"Person {n}", "email": f"person{n}@mail.example", "dob": f"19{50 + n}-03-0{n % 9 + 1}"} for n in people])
        else:
            self.answer(404, {"error": "not found"})

    def do_POST(self):
        login = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path == "/v1/login" and login.get("password") == "right":
            self.answer(200, {"token": "t" * 40})
        else:
            self.answer(401, {"error": "invalid credentials"})

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Api).serve_forever()
