"""A server that is started, asked and stopped."""

import hashlib
import http.client
import json
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path


class Server:
    """`fhirehose serve --open` on a port of its own, over the input or other data."""

    ASYNC = {"Accept": "application/fhir+json", "Prefer": "respond-async"}

    def __init__(self, setting, name: str, options: list[str], data: Path | None = None, fresh: bool = True):
        state = setting.work / "server" / f"state-{name}"
        if fresh:
            shutil.rmtree(state, ignore_errors=True)
        command = [setting.fhirehose, "serve", "--data", data or setting.input.parent, "--state", state, "--open", "--no-watch"]
        command += ["--listen", "127.0.0.1:0", "--threads", str(setting.threads), *options]
        begun = time.perf_counter()
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.match(r"listening on http://([^ :]+):(\d+) \(FHIR base (.*)\)", line)
            if found:
                break
        else:
            raise SystemExit(f"the server does not start: {self.process.wait()}")
        self.started = time.perf_counter() - begun
        self.address = (found[1], int(found[2]))
        self.base = found[3]
        self.connection = http.client.HTTPConnection(*self.address, timeout=600)

    def request(self, method: str, url: str, headers: dict | None = None):
        """Status, headers and body; on one connection."""
        self.connection.request(method, re.sub(r"^https?://[^/]+", "", url), headers=headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def timed(self, method: str, url: str, headers: dict | None = None, expected: int = 200) -> float:
        begun = time.perf_counter()
        status, _, body = self.request(method, url, headers)
        took = time.perf_counter() - begun
        if status != expected:
            raise SystemExit(f"{method} {url}: {status} {body[:300]}")
        return took

    def kick_off(self, query: str) -> str:
        status, headers, body = self.request("GET", f"{self.base}/$export?{query}", self.ASYNC)
        if status != 202:
            raise SystemExit(f"{query}: {status} {body[:300]}")
        return headers["Content-Location"]

    def until_idle(self) -> None:
        """Waits until no job waits or runs. The status of a job may be asked for a few times a second only."""
        while True:
            _, _, body = self.request("GET", "/health")
            found = json.loads(body)["jobs"]
            if found["accepted"] + found["running"] == 0:
                return
            time.sleep(0.005)

    def json(self, url: str) -> dict:
        status, _, body = self.request("GET", url)
        if status != 200:
            raise SystemExit(f"{url}: {status} {body[:300]}")
        return json.loads(body)

    def digest(self, url: str) -> bytes:
        """SHA-256 of a file as it is stored."""
        self.connection.request("GET", re.sub(r"^https?://[^/]+", "", url), headers={"Accept-Encoding": "gzip"})
        answer = self.connection.getresponse()
        digest = hashlib.sha256()
        while part := answer.read(1 << 20):
            digest.update(part)
        return digest.digest()

    def peak(self) -> float:
        """Largest resident set so far, in MB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) * 1024 / 1e6

    def stop(self) -> None:
        self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
