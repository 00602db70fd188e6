"""The two scripts that people write first. Each prints how far the service seems to be ahead, in seconds.

    python3 naive.py hms URL        `current_time` and now, both as HH:MM:SS
    python3 naive.py datetime URL   the instant in `datetime`, else in the header Date, and now

Both read their own clock when the answer is there. Neither knows how long the answer was on its way.
"""

import email.utils
import json
import sys
import time
import urllib.request
from datetime import datetime


def hms(body: bytes, _: str) -> float:
    form = "%H:%M:%S"
    now = time.strftime(form, time.gmtime())
    return (datetime.strptime(json.loads(body)["current_time"], form) - datetime.strptime(now, form)).total_seconds()


def instant(body: bytes, date: str) -> float:
    now = time.time()
    try:
        said = datetime.fromisoformat(json.loads(body)["datetime"])
    except (ValueError, KeyError):
        said = email.utils.parsedate_to_datetime(date)
    return said.timestamp() - now


def main() -> None:
    judge = {"hms": hms, "datetime": instant}[sys.argv[1]]
    # Without the proxies of the environment: the service is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(sys.argv[2], timeout=10) as response:
        print(f"{judge(response.read(), response.headers['Date']):.6f}")


if __name__ == "__main__":
    main()
