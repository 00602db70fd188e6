"""Flask with one route, as gunicorn serves it: `GET /now` answers with the response in the file that RESPONSE names."""

import os
from pathlib import Path

from flask import Flask, Response

HEAD, _, BODY = Path(os.environ["RESPONSE"]).read_bytes().partition(b"\r\n\r\n")
# gunicorn and Flask write these themselves.
WRITTEN = {"date", "content-length", "server", "connection"}
HEADERS = [
    (name, value)
    for name, value in (line.split(": ", 1) for line in HEAD.decode().split("\r\n")[1:])
    if name.lower() not in WRITTEN
]

app = Flask(__name__)


@app.get("/now")
def now() -> Response:
    return Response(BODY, headers=HEADERS)
