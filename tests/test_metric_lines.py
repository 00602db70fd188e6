"""`--metrics emf`: how often a line comes. What stands in it is tested beside the code."""

import json
import subprocess
import time

from support.tools import binary

FLAGS = ["--listen", "127.0.0.1:0", "--threads", "1", "--metrics", "emf", "--drain-delay", "0s"]


def test_a_line_of_metrics_is_written_once_a_minute_from_the_start_on():
    began = time.time()
    nowd = subprocess.Popen([binary("nowd"), *FLAGS], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        first, second = (json.loads(nowd.stdout.readline())["_aws"]["Timestamp"] / 1000 for _ in range(2))
        assert first - began < 5
        # The clock that is read may be slewed or stepped a little meanwhile.
        assert 58 < second - first < 65
        nowd.terminate()
        # And one at the end, of what happened since.
        assert len(nowd.stdout.readlines()) == 1
    finally:
        nowd.kill()
        nowd.wait()
        nowd.stdout.close()
