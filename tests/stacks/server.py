"""An API over HTTP/1.1 in Python: server.py PORT LOG. A line `METHOD TARGET STATUS` for each request."""

import gzip
import http.server
import json
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.read_body()
        if "/missing" in self.path:
            return self.send(404, b'{"error":"no such thing"}')
        if "/moved" in self.path:
            return self.send(302, b"", {"Location": "/py/items/1"})
        if "/gone" in self.path:
            return self.send(204, None)
        items = json.dumps([{"id": number, "name": "mug", "sent": len(body)} for number in range(50)]).encode()
        if "/chunked" in self.path:
            return self.send_chunked(items)
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            return self.send(200, gzip.compress(items), {"Content-Encoding": "gzip"})
        return self.send(201 if self.command == "POST" else 200, items)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = answer

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def send(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(body)

    def send_chunked(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command != "HEAD":
            for start in range(0, len(body), 700):
                piece = body[start:start + 700]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

    def log_request(self, code="-", size="-"):
        if int(code) >= 200:
            log.write(f"{self.command} {self.path} {int(code)}\n")
            log.flush()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


log = open(sys.argv[2], "a", encoding="utf-8")
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
