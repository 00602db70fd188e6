"""Chromium without a window, driven over its own protocol (DevTools) through two pipes.

https://chromedevtools.github.io/devtools-protocol/ lists the methods and events. Only this file speaks it.
"""

import base64
import contextlib
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from support.process import WAIT, poll
from support.tools import lacking

NAMES = ("chromium", "chromium-browser", "google-chrome")

FLAGS = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--lang=en-GB",
    "--no-first-run",
    "--no-pings",
]

# What a key sends beside its name.
KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), "ArrowDown": (40, ""), "ArrowUp": (38, ""),
        "ArrowLeft": (37, ""), "ArrowRight": (39, ""), "Home": (36, ""), "End": (35, ""), "PageUp": (33, ""), "PageDown": (34, "")}


class Navigated(AssertionError):
    """The page that was asked has made room for another one."""


class Browser:
    """One browser process. Each page of it has storage and cache of its own."""

    def __init__(self, *flags: str, environment: dict[str, str] | None = None):
        program = next((path for name in NAMES if (path := shutil.which(name))), None)
        if program is None:
            lacking("there is no Chromium")
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        # Chromium refuses to be sandboxed as root, and in many containers it cannot be.
        flags = [*FLAGS, "--no-sandbox", f"--user-data-dir={self._profile.name}", *flags, "about:blank"]
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        # The protocol has it that file 3 is read from and file 4 is written to.
        script = 'exec "$@" 3<&"$TO" 4>&"$FROM"'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", program, *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(to_browser, from_browser),
            env=os.environ | {"TO": str(to_browser), "FROM": str(from_browser)} | (environment or {}),
        )
        os.close(to_browser)
        os.close(from_browser)
        self._last_id = 0
        self._answers: dict[int, queue.SimpleQueue] = {}
        self._listeners: dict[str, Callable[[str, dict], None]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.send("Browser.getVersion")

    def _read(self) -> None:
        buffer = b""
        while chunk := os.read(self._in, 1 << 16):
            *messages, buffer = (buffer + chunk).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self._answers[message["id"]].put(message)
                elif listener := self._listeners.get(message.get("sessionId")):
                    listener(message["method"], message["params"])
        for waiting in self._answers.values():
            waiting.put({"error": {"message": "the browser has ended"}})

    def send(self, method: str, session: str | None = None, **parameters) -> dict:
        self._last_id += 1
        number = self._last_id
        answer = self._answers[number] = queue.SimpleQueue()
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self._out, json.dumps(message).encode() + b"\0")
        try:
            said = answer.get(timeout=WAIT)
        except queue.Empty:
            raise AssertionError(f"the browser did not answer {method} within {WAIT:g} s") from None
        finally:
            del self._answers[number]
        if "error" in said:
            words = f"{method}: {said['error']['message']}"
            raise (Navigated if "navigated or closed" in words else AssertionError)(words)
        return said["result"]

    def page(self, width: int = 1280, height: int = 800) -> "Page":
        return self.tab(self.send("Target.createBrowserContext")["browserContextId"], width, height)

    def tab(self, context: str, width: int = 1280, height: int = 800) -> "Page":
        """A page that shares storage, cache and connections with the others of that context, which closes it, too."""
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, context, session)
        self._listeners[session] = page.hear
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            page.send(f"{domain}.enable")
        page.resize(width, height)
        return page

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(WAIT)
        os.close(self._out)
        os.close(self._in)
        self._profile.cleanup()


class Page:
    def __init__(self, browser: Browser, context: str, session: str):
        self._browser, self.context, self._session = browser, context, session
        self.complaints: list[str] = []
        """What the console shows as an error or a warning: violations of the policy, exceptions, what is missing."""
        self.requests: list[str] = []
        self.responses: dict[str, dict] = {}
        self.sizes: dict[str, int] = {}
        """Bytes that came over the network for each URL, with all headers; 0 for what a cache had."""
        self._urls: dict[str, str] = {}

    def send(self, method: str, **parameters) -> dict:
        return self._browser.send(method, self._session, **parameters)

    def hear(self, method: str, event: dict) -> None:
        if method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(part.get("value")) for part in event["args"]))
        elif method == "Log.entryAdded" and event["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{event['entry']['text']} {event['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(event["request"]["url"])
        elif method == "Network.responseReceived":
            self.responses[event["response"]["url"]] = event["response"]
            self._urls[event["requestId"]] = event["response"]["url"]
        elif method == "Network.loadingFinished" and event["requestId"] in self._urls:
            self.sizes[self._urls[event["requestId"]]] = int(event["encodedDataLength"])

    def close(self) -> None:
        self._browser.send("Target.disposeBrowserContext", browserContextId=self.context)

    def another_tab(self) -> "Page":
        """Beside this page, which is then hidden."""
        tab = self._browser.tab(self.context)
        tab.to_the_front()
        return tab

    def to_the_front(self) -> None:
        self.send("Page.bringToFront")
        self.wait_for("document.visibilityState === 'visible'")

    def open(self, url: str) -> None:
        self.send("Page.navigate", url=url)
        # The old document may still be there when the browser has answered.
        self.wait_for(f"location.href.startsWith({json.dumps(url.split('?')[0])})")
        self.wait_for("document.readyState === 'complete'")

    def before_each_document(self, script: str) -> None:
        self.send("Page.addScriptToEvaluateOnNewDocument", source=script)

    def evaluate(self, expression: str):
        """The value of an expression; of a promise, what it comes to."""
        said = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, f"{expression}: {said['exceptionDetails']}"
        return said["result"].get("value")

    def wait_for(self, expression: str, seconds: float = WAIT):
        """The first true value."""

        def is_so():
            # What is waited for may be on the next page, and this one goes in the middle of the question.
            with contextlib.suppress(Navigated):
                return self.evaluate(expression)

        return poll(is_so, expression, seconds)

    def text(self, selector: str) -> str:
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")

    def press(self, *keys: str) -> None:
        for key in keys:
            code, text = KEYS[key]
            parameters = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **parameters)
            self.send("Input.dispatchKeyEvent", type="keyUp", **parameters)

    def type(self, text: str) -> None:
        for letter in text:
            self.send("Input.dispatchKeyEvent", type="keyDown", key=letter, text=letter)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=letter)

    def click(self, selector: str) -> None:
        x, y = self.evaluate(f"""(() => {{
            const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoView({{ block: "nearest", behavior: "instant" }});
            const {{ x, y, width, height }} = element.getBoundingClientRect();
            return [x + width / 2, y + height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def follow(self, link: str, until: str, seconds: float = WAIT):
        """Clicks a link of a page that is live, and waits for the next page: an update may move the link away from
        the mouse, as it does for people, who click again."""

        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(Navigated):
                if self.evaluate(f"document.querySelector({json.dumps(link)}) !== null"):
                    self.click(link)
            try:
                # Another click sooner would end what this one began.
                return self.wait_for(until, 2)
            except AssertionError:
                if time.monotonic() > end:
                    raise

    def resize(self, width: int, height: int, scale: float = 1, mobile: bool = False) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )

    def media(self, **features: str) -> None:
        """`media(prefers_color_scheme="dark")`."""
        given = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.send("Emulation.setEmulatedMedia", features=given)

    def slow_down(self, latency: float) -> None:
        """Every answer comes `latency` milliseconds late."""
        rates = {"downloadThroughput": -1, "uploadThroughput": -1}
        self.send("Network.emulateNetworkConditions", offline=False, latency=latency, **rates)

    def roles(self) -> list[tuple[str, str]]:
        """What a screen reader is told: the role and the name of everything that has both."""
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        pairs = [(node.get("role", {}).get("value"), node.get("name", {}).get("value")) for node in nodes]
        return [(role, name) for role, name in pairs if role and name]

    def node(self, selector: str) -> dict:
        """What a screen reader is told of one element: role, name, and its states."""
        document = self.send("DOM.getDocument")["root"]["nodeId"]
        found = self.send("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        asked = self.send("Accessibility.getPartialAXTree", nodeId=found, fetchRelatives=False)["nodes"][0]
        states = {each["name"]: each["value"].get("value") for each in asked.get("properties", [])}
        return {"role": asked["role"]["value"], "name": asked.get("name", {}).get("value")} | states

    def screenshot(self, path: Path, full: bool = False) -> None:
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        path.write_bytes(base64.b64decode(shot["data"]))


def settled(value: Callable[[], object], what: str, for_seconds: float = 0.3):
    """The value once it has stayed the same for a while."""
    last, since = value(), time.monotonic()

    def is_settled() -> bool:
        nonlocal last, since
        if (now := value()) != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since >= for_seconds

    poll(is_settled, what)
    return last
