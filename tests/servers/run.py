"""Pulls from a public server, and holds what came against what a plain client gets of it.

run.py FHIREHOSE BIN WORK: the binary, the folder with the server's program, an empty folder.
Run by scripts/servers with the Python that the server is installed in.
"""

import collections
import gzip
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

FHIREHOSE, BIN, WORK = (Path(arg).resolve() for arg in sys.argv[1:])
DATA = WORK / "data"
LONGEST = 60  # seconds of anything
SECRET = "a secret of the tests"


def run(*command, fails=False):
    """Runs to the end; what it said if it did not end as it should."""
    command = [str(part) for part in command]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, cwd=WORK)
    if (ended.returncode != 0) != fails:
        raise SystemExit(f"FAILED ({ended.returncode}): {' '.join(command)}\n{ended.stdout}\n{ended.stderr}")
    return ended.stdout + ended.stderr


class Key:
    """A key pair: the public half for the server, the private one as PEM and as a JWK for the client."""

    def __init__(self, name, private, algorithm):
        self.client, kind = name, jwt.get_algorithm_by_name(algorithm)
        more = {"kid": f"{name}-1", "alg": algorithm}
        self.public = {"keys": [json.loads(kind.to_jwk(private.public_key())) | more | {"use": "sig", "key_ops": ["verify"]}]}
        self.jwk = WORK / f"{name}.jwk"
        self.jwk.write_text(json.dumps(json.loads(kind.to_jwk(private)) | more | {"key_ops": ["sign"]}))
        self.pem = WORK / f"{name}.pem"
        self.pem.write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        for path in (self.jwk, self.pem):
            path.chmod(0o600)


class Server:
    """A server on a port of its own."""

    name, process, log = "", None, None

    def start(self, *command, ready, **environment):
        self.log = open(WORK / f"{self.name}.log", "ab")
        self.process = subprocess.Popen(
            [str(part) for part in command], stdout=self.log, stderr=self.log, cwd=WORK, env=os.environ | environment
        )
        begun = time.monotonic()
        while True:
            try:
                urllib.request.urlopen(f"{self.base}/{ready}", timeout=LONGEST).close()
                return
            except (urllib.error.URLError, ConnectionError):
                if self.process.poll() is not None or time.monotonic() - begun > LONGEST:
                    said = (WORK / f"{self.name}.log").read_text()[-3000:]
                    raise SystemExit(f"FAILED: {self.name} does not start\n{said}")
                time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=LONGEST)
        self.log.close()

    def jobs(self):
        """What is there of jobs."""
        return sorted(path.name for path in self.kept.glob("*"))

    def load(self):
        for path in sorted(DATA.glob("*.ndjson")):
            entries = []
            for line in path.read_bytes().splitlines():
                resource = json.loads(line)
                url = f"{resource['resourceType']}/{resource['id']}"
                entries.append({"resource": resource, "request": {"method": "PUT", "url": url}})
            bundle = json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()
            request = urllib.request.Request(self.base, bundle, {"content-type": "application/fhir+json"})
            with urllib.request.urlopen(request, timeout=LONGEST) as answer:
                for entry in json.load(answer)["entry"]:
                    if not entry["response"]["status"].startswith("20"):
                        raise SystemExit(f"FAILED: {path.name}: {json.dumps(entry)[:500]}")

    def plain(self, path, query=()):
        """An export by a client that knows nothing but the guide: lines by type, in the order in which they come."""
        url = f"{self.base}/{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, headers={"prefer": "respond-async", "accept": "application/fhir+json"})
        with urllib.request.urlopen(request, timeout=LONGEST) as answer:
            status = answer.headers["content-location"]
        while True:
            with urllib.request.urlopen(status, timeout=LONGEST) as answer:
                if answer.status == 200:
                    manifest = json.load(answer)
                    break
            time.sleep(0.1)
        files = collections.defaultdict(list)
        for item in manifest["output"]:
            with urllib.request.urlopen(item["url"], timeout=LONGEST) as answer:
                files[item["type"]] += answer.read().splitlines()
        urllib.request.urlopen(urllib.request.Request(status, method="DELETE"), timeout=LONGEST).close()
        return dict(files)


class Sekmet(Server):
    """SEKMET over the data that an earlier one was given."""

    name, kept = "sekmet-fhir", WORK / "sekmet" / "bulk"

    def __init__(self, **auth):
        port = free_port()
        self.base = f"http://127.0.0.1:{port}/fhir"
        settings = {
            "base_url": self.base,
            "host": "127.0.0.1",
            "port": port,
            "data_dir": str(WORK / "sekmet"),
            "server_auth": auth or {"types": ["none"]},
            "validation": {"inbound": "off"},
            # So long a job waits at its end.
            "simulator": {"enabled": False, "delay_seconds": 0.2},
            "log_inbound": False,
        }
        config = WORK / "settings.yaml"
        config.write_text(json.dumps(settings))
        self.start(BIN / "sekmet", "serve", "--config", config, ready=".well-known/smart-configuration")


class Helios(Server):
    """The Helios FHIR Server, where HFS names it. Its files are small here, so that there are many."""

    name, kept = "helios-hfs", WORK / "helios" / "none"

    def __init__(self):
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"
        folder = WORK / "helios"
        folder.mkdir()
        self.start(
            os.environ["HFS"], "--port", port, "--database-url", folder / "db.sqlite", "--base-url", self.base,
            "--export-dir", folder / "jobs", ready="metadata", HFS_EXPORT_SHARD_ROWS="10",
        )


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def lines(folder):
    """What stands in a folder: lines by type, in their order."""
    files = collections.defaultdict(list)
    for path in sorted(folder.rglob("*.ndjson*")):
        if path.parent != folder:
            continue  # errors and deletions
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rb") as file:
            files[path.name.split(".")[0]] += file.read().splitlines()
    return dict(files)


class Cases:
    def __init__(self):
        self.all = []

    def hold(self, name, server, wanted, *args, keeps_job=False):
        """A pull brings what was wanted, and leaves nothing behind at the server."""
        out = WORK / f"out-{len(self.all)}"
        begun = time.monotonic()
        said = run(FHIREHOSE, "pull", server.base, "-o", out, *args)
        took = time.monotonic() - begun
        got = lines(out)
        if got != wanted or not got:
            different = [type_name for type_name in sorted(got.keys() | wanted.keys()) if got.get(type_name) != wanted.get(type_name)]
            raise SystemExit(f"FAILED: {name}: {', '.join(different) or 'nothing came'}\n{said}")
        run(FHIREHOSE, "verify", out)
        if bool(server.jobs()) != keeps_job:
            raise SystemExit(f"FAILED: {name}: jobs at the server: {server.jobs()}\n{said}")
        count = sum(map(len, got.values()))
        print(f"{server.name} {name:55} {count:4} lines, equal   {took:4.1f} s", flush=True)
        self.all.append(got)
        return said


def exported(raw, *args):
    """What the command line's export makes of the lines of a plain client."""
    source, out = WORK / f"raw-{uuid.uuid4()}", WORK / f"wanted-{uuid.uuid4()}"
    source.mkdir()
    for type_name, found in raw.items():
        (source / f"{type_name}.ndjson").write_bytes(b"".join(line + b"\n" for line in found))
    run(FHIREHOSE, "export", source, "-o", out, *args)
    return lines(out)


def first_group():
    """The group of the data that has not everybody."""
    with open(DATA / "Group.ndjson", "rb") as file:
        groups = [json.loads(line) for line in file]
    return min(groups, key=lambda group: len(group.get("member", [])) or 1000)["id"]


def open_server(cases):
    server = Sekmet()
    try:
        server.load()
        system = server.plain("$export")
        group = first_group()
        cases.hold("open, system", server, system, "--system")
        cases.hold("open, system, POST", server, system, "--system", "--method", "post")
        cases.hold("open, all patients", server, server.plain("Patient/$export"))
        cases.hold("open, group", server, server.plain(f"Group/{group}/$export"), "--group", group)
        types = {name: found for name, found in system.items() if name in ("Condition", "Patient")}
        cases.hold("open, _type", server, types, "--system", "--type", "Condition,Patient")
        # It takes a comma for the end of a filter, and several filters of a type all have to fit: of that too little comes,
        # which no client can mend.
        filters = ("--type", "Observation,Condition", "--type-filter", "Observation?category=laboratory")
        cases.hold("open, _typeFilter", server, exported(system, *filters), "--system", *filters)
        elements = ("--type", "Patient", "--elements", "id,gender")
        cases.hold("open, _elements, which the server ignores", server, exported(system, *elements), "--system", "--lenient", *elements)
    finally:
        server.stop()
    return system


def smart_server(cases, system):
    keys = [
        Key("by-rsa", rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS384"),
        Key("by-ec", ec.generate_private_key(ec.SECP384R1()), "ES384"),
    ]
    clients = [{"client_id": key.client, "jwks": key.public, "scopes": "system/*.*"} for key in keys]
    clients.append({"client_id": "reader", "jwks": keys[1].public, "scopes": "system/*.read"})
    clients.append({"client_id": "by-secret", "client_secret": SECRET, "scopes": "system/*.*"})
    server = Sekmet(types=["smart"], smart_clients=clients)
    try:
        for key in keys:
            for file in (key.pem, key.jwk):
                auth = ("--system", "--client-id", key.client, "--key", file, "--scope", "system/*.*")
                cases.hold(f"SMART, {key.client}, {file.suffix}", server, system, *auth)
        secret = WORK / "secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        basic = ("--system", "--basic", f"by-secret:{secret}", "--scope", "system/*.*")
        cases.hold("SMART, account and secret", server, system, *basic)
        # Who may only read may not delete the job: that is no failure.
        reader = ("--system", "--client-id", "reader", "--key", keys[1].pem)
        cases.hold("SMART, may only read", server, system, *reader, keeps_job=True)
        said = run(FHIREHOSE, "pull", server.base, "-o", WORK / "refused", "--client-id", "nobody", "--key", keys[0].pem, fails=True)
        print(f"sekmet-fhir SMART, unknown client: {said.strip().splitlines()[-1]}")
    finally:
        server.stop()


def helios_server(cases):
    server = Helios()
    try:
        server.load()
        cases.hold("open, system", server, server.plain("$export"), "--system")
        types = [("_type", "Condition,Observation")]
        cases.hold("open, _type", server, server.plain("$export", types), "--system", "--type", "Condition,Observation")
    finally:
        server.stop()


def main():
    run(FHIREHOSE, "synth", "--patients", "6", "--seed", "3", "-o", DATA)
    cases = Cases()
    system = open_server(cases)
    smart_server(cases, system)
    if os.environ.get("HFS"):
        helios_server(cases)
    # A comparison that finds everything equal proves nothing.
    whole, in_group = cases.all[0], cases.all[3]
    if whole == in_group or not sum(map(len, in_group.values())) < sum(map(len, whole.values())):
        raise SystemExit("FAILED: the comparison does not tell a group from everybody")
    print(f"{len(cases.all)} passed, 0 failed")


main()
