#!/usr/bin/env python3
"""Reports in headless Chromium: at three widths, by day, by night and on paper.

usage: screenshots.py OUT FOLDER...        each FOLDER holds an index.html

A page passes if the console stays silent, every picture decodes, nothing is wider than the screen,
a click on a heading sorts a sortable table (a page without one has no script), and the folder stays
under 30 MB. Pictures and a PDF go to OUT/<n>-*. The browser is spoken to through a pipe, in the
DevTools protocol: a window cannot be narrower than 500 pixels, an emulated screen can. Skipped
where there is no Chromium."""
import base64
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

WIDTHS = (390, 1024, 1600)
MOST_BYTES = 30 << 20
MOST_HEIGHT = 15000  # pixels of a picture; Chromium's limit is 16384

PROBLEMS = """Promise.all(Array.from(document.images, i => {
    i.loading = 'eager';
    return i.decode().then(() => 0, () => i.src + ' does not decode');
})).then(list => list.filter(x => x).concat(
    Array.from(document.querySelectorAll('body *')).filter(e =>
        !e.closest('.scroll, .film') && e.getBoundingClientRect().right > %d + 0.5)
    .slice(0, 3).map(e => 'wider than the screen: ' + e.outerHTML.slice(0, 80)),
    document.documentElement.scrollWidth > %d
        ? ['the page scrolls sideways: ' + document.documentElement.scrollWidth] : []))"""

SORTED = """(() => {
    const table = document.querySelector('table.sortable');
    if (!table) return document.scripts.length === 0;
    const units = () => Array.from(table.tBodies[0].rows, r => Number(r.cells[0].dataset.value));
    const button = table.querySelector('th[data-sort=number] button');
    const is = sign => units().every((u, i, a) => !i || sign * (u - a[i - 1]) > 0);
    button.click();
    const down = is(-1);
    button.click();
    return down && is(1);
})()"""


class Browser:
    def __init__(self, program, profile):
        to_read, self.write_end = os.pipe()
        self.read_end, to_write = os.pipe()

        def place_pipes():  # the browser reads 3 and writes 4
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_read, to_write)]
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--hide-scrollbars", f"--user-data-dir={profile}",
             "--remote-debugging-pipe", "about:blank"],
            pass_fds=(3, 4), preexec_fn=place_pipes, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.serial, self.events, self.session = b"", 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def read(self):
        while b"\0" not in self.buffer:
            more = os.read(self.read_end, 1 << 20)
            if not more:
                raise RuntimeError("the browser has gone")
            self.buffer += more
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.serial += 1
        request = {"id": self.serial, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.write_end, json.dumps(request).encode() + b"\0")
        while True:
            message = self.read()
            if message.get("id") == self.serial:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self.events.append(message)

    def wait(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.read())

    def evaluate(self, text):
        result = self.call("Runtime.evaluate", expression=text, awaitPromise=True,
                           returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["text"])
        return result["result"].get("value")

    def complaints(self):
        """What the console said since the last call."""
        found = []
        for event in self.events:
            method, told = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(told["exceptionDetails"]["text"])
            elif method == "Runtime.consoleAPICalled":
                found.append("console: " + json.dumps(told["args"])[:200])
            elif method == "Log.entryAdded":
                found.append(told["entry"]["text"])
        self.events = []
        return found

    def close(self):
        self.call("Browser.close")
        self.process.wait(30)


def save(path, data):
    with open(path, "wb") as file:
        file.write(base64.b64decode(data))


def look(browser, page, width, scheme, name):
    """The problems of one page on one screen; leaves a picture of it."""
    screen = dict(width=width, deviceScaleFactor=1, mobile=width < 500)
    browser.call("Emulation.setDeviceMetricsOverride", height=900, **screen)
    browser.call("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.events = []
    browser.call("Page.navigate", url="file://" + page)
    browser.wait("Page.loadEventFired")
    problems = browser.evaluate(PROBLEMS % (width, width))
    height = browser.evaluate("document.documentElement.scrollHeight")
    browser.call("Emulation.setDeviceMetricsOverride", height=min(height, MOST_HEIGHT), **screen)
    picture = browser.call("Page.captureScreenshot", format="png")
    save(name, picture["data"])
    if not browser.evaluate(SORTED):
        problems.append("a click on a heading does not sort")
    return problems + browser.complaints()


def folder_bytes(folder):
    return sum(os.path.getsize(os.path.join(place, name))
               for place, _, names in os.walk(folder) for name in names)


def main():
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser",
                                                   "google-chrome"))), None)
    if not program:
        print("skipped screenshots: there is no Chromium\n0 passed, 0 failed, 1 skipped")
        return 0
    signal.alarm(1800)  # a browser that hangs is a failure
    out, passed, failed = sys.argv[1], 0, 0
    os.makedirs(out, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(program, profile)
        for number, folder in enumerate(sys.argv[2:]):
            page = os.path.realpath(os.path.join(folder, "index.html"))
            checks = [("size", [] if folder_bytes(folder) < MOST_BYTES else
                       [f"the folder has {folder_bytes(folder)} bytes"])]
            for width in WIDTHS:
                for scheme in ("light", "dark"):
                    name = f"{number}-{width}-{scheme}"
                    checks.append((name, look(browser, page, width, scheme,
                                              os.path.join(out, name + ".png"))))
            paper = browser.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
            save(os.path.join(out, f"{number}.pdf"), paper["data"])
            for name, problems in checks:
                print(f"{'FAILED ' if problems else 'ok     '} {folder} {name}")
                for problem in problems:
                    print("  " + problem)
                passed, failed = passed + (not problems), failed + bool(problems)
        browser.close()
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
