"""The small API behind nginx in tests/live: products, orders that ask for a token, logins (JSON and a form), an export that
asks for nothing, a search that builds its SQL by hand, pages with links. Listens on the port that is given."""

import http.server
import json
import sqlite3
import sys
import threading
import urllib.parse

STOCK = sqlite3.connect(":memory:", check_same_thread=False)
STOCK.execute("create table stock (id int, name text)")
STOCK.executemany("insert into stock values (?, ?)", [(n, f"Mug {n}") for n in range(100)])
TURN = threading.Lock()
FORM = "<form method=post action=/login><input name=username><input name=password type=password></form>"


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, document):
        self.send(status, "application/json", json.dumps(document))

    def page(self, text):
        self.send(200, "text/html", f"<html><body>{text}</body></html>")

    def send(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def search(self, wanted):
        try:
            with TURN:
                found = STOCK.execute(f"select id, name from stock where id = {wanted}").fetchall()
        except sqlite3.Error as error:
            return self.answer(500, {"error": str(error)})
        self.answer(200, [{"id": one, "name": name} for one, name in found])

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/v1/search":
            return self.search(urllib.parse.parse_qs(query).get("id", ["1"])[0])
        if path == "/login":
            return self.page(FORM)
        if path == "/":
            return self.page("".join(f"<a href=/pages/{n}>{n}</a>" for n in range(5)))
        if path.startswith("/pages/") and path[7:].isdigit() and int(path[7:]) < 60:
            return self.page("".join(f"<a href=/pages/{int(path[7:]) + n}>next</a>" for n in (1, 2) if int(path[7:]) + n < 60))
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
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/login":
            form = urllib.parse.parse_qs(body.decode(errors="replace"))
            return self.page("Welcome back" if form.get("password") == ["right"] else f"<p>Invalid credentials, try again</p>{FORM}")
        login = json.loads(body or b"{}")
        if self.path == "/v1/login" and login.get("password") == "right":
            self.answer(200, {"token": "t" * 40})
        else:
            self.answer(401, {"error": "invalid credentials"})

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Api).serve_forever()
