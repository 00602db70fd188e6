"""The request heads that nowd is measured with."""

from itertools import count

TRACES = 1_000
"""So many trace ids take turns, so that no server gains by remembering heads."""


def minimal(target: str, host: str) -> str:
    """The least that a client may send, and what wrk sends."""
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"


def balancer(target: str, host: str, number: int) -> str:
    """A browser's request behind a load balancer: 15 headers, with a trace id of that number."""
    return (
        f"GET {target} HTTP/1.1\r\n"
        f"Host: {host}\r\n"
        f"X-Amzn-Trace-Id: Root=1-{number * 2_654_435_761 % 2**32:08x}-{number:024x}\r\n"
        "X-Forwarded-For: 203.0.113.47\r\n"
        "X-Forwarded-Proto: https\r\n"
        "X-Forwarded-Port: 443\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
        "Accept: application/json, text/plain, */*\r\n"
        "Accept-Language: en-US,en;q=0.5\r\n"
        "Accept-Encoding: gzip, deflate, br, zstd\r\n"
        "Referer: https://time.example/\r\n"
        "Origin: https://time.example\r\n"
        "Sec-Fetch-Dest: empty\r\n"
        "Sec-Fetch-Mode: cors\r\n"
        "Sec-Fetch-Site: same-origin\r\n"
        "Cache-Control: no-cache\r\n"
        "\r\n"
    )


def balancer_requests(target: str, host: str):
    """Without end, each with the next trace id."""
    return (balancer(target, host, number % TRACES).encode() for number in count())


def wrk_script(target: str, host: str) -> str:
    """Lines of Lua that make wrk send the balancer's requests."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\r\n", "\\r\\n") + '"'

    requests = ",\n".join(quoted(balancer(target, host, number)) for number in range(TRACES))
    return f"local requests = {{\n{requests}\n}}\nlocal number = 0\n" + (
        f"request = function()\n  number = number % {TRACES} + 1\n  return requests[number]\nend\n"
    )
