"""Clients of the demonstration. `clients.py http://HOST` are ordinary ones; `clients.py http://HOST SECONDS` waits for so
long, tries stolen passwords and takes all customers, over and over. Standard library only."""

import json
import random
import sys
import time
import urllib.error
import urllib.request

BASE = sys.argv[1].rstrip("/")
QUIET = float(sys.argv[2]) if len(sys.argv) > 2 else None


def ask(path, body=None, token=None):
    request = urllib.request.Request(BASE + path, headers={"Content-Type": "application/json"})
    if body is not None:
        request.data = json.dumps(body).encode()
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)
    except (OSError, urllib.error.URLError):
        return None  # a refusal, or an API that is not up yet


def ordinary():
    n = random.randrange(50)
    answer = ask("/v1/login", {"username": f"user{n}", "password": f"right-{n}"})
    token = answer["token"] if answer else None
    for _ in range(5):
        ask(f"/v1/orders/{random.randrange(1000)}", token=token)
        time.sleep(0.05)


def attacks():
    for n in range(120):
        ask("/v1/login", {"username": f"stolen{n}", "password": f"from-a-leak-{n}"})
        time.sleep(0.02)
    for _ in range(10):
        ask("/v1/customers")


while True:
    if QUIET is None:
        ordinary()
    else:
        time.sleep(QUIET)
        attacks()
