"""Lets public bulk clients fetch from a server, and holds what they got against the command line's export.

run.py FHIREHOSE CLIENTS WORK: the binary, the folder in which the clients are installed, an empty folder.
Run by scripts/clients with the Python that smart-fetch is installed in.
"""

import collections
import gzip
import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

from jwcrypto import jwk, jwt

FHIREHOSE, CLIENTS, WORK = (Path(arg).resolve() for arg in sys.argv[1:])
DATA = WORK / "data"
LONGEST = 60  # seconds of one run of a client
# What smart-fetch can fetch and the data hold; the first list without what Oracle does not export.
ORACLE_TYPES = (
    "AllergyIntolerance,Condition,Device,DiagnosticReport,DocumentReference,Encounter,Immunization,"
    "MedicationRequest,Observation,Patient,Procedure,ServiceRequest"
)
TYPES = ORACLE_TYPES + ",Specimen"
SINCE = "2022-01-01T00:00:00Z"
LABORATORY = "Observation?category=laboratory,vital-signs&date=ge2015"
ACTIVE = "Condition?clinical-status=active,recurrence"


def run(*command):
    """Runs to the end; what it said if it failed."""
    command = [str(part) for part in command]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, cwd=WORK)
    if ended.returncode != 0:
        raise SystemExit(f"FAILED ({ended.returncode}): {' '.join(command)}\n{ended.stdout}\n{ended.stderr}")
    return ended.stdout


class Key:
    """A key pair: the public half for the server, the private one as smart-fetch and as openssl would have it."""

    def __init__(self, client, algorithm, **kind):
        self.client, self.algorithm = client, algorithm
        self.jwk = jwk.JWK.generate(**kind)
        # The thumbprint is the kid that is used where only the PEM is given.
        self.kid = self.jwk.thumbprint()
        more = {"kid": self.kid, "alg": algorithm, "use": "sig"}
        self.public = WORK / f"{client}.json"
        self.public.write_text(json.dumps({"keys": [self.jwk.export_public(as_dict=True) | more | {"key_ops": ["verify"]}]}))
        self.jwks = WORK / f"{client}.jwks"
        self.jwks.write_text(json.dumps({"keys": [self.jwk.export_private(as_dict=True) | more | {"key_ops": ["sign"]}]}))
        self.pem = WORK / f"{client}.pem"
        self.pem.write_bytes(self.jwk.export_to_pem(private_key=True, password=None))

    def token(self, server, scope):
        """An access token, by SMART Backend Services."""
        with urllib.request.urlopen(f"{server.base}/.well-known/smart-configuration", timeout=LONGEST) as answer:
            url = json.load(answer)["token_endpoint"]
        claims = {"iss": self.client, "sub": self.client, "aud": url, "exp": int(time.time()) + 240, "jti": str(uuid.uuid4())}
        signed = jwt.JWT(header={"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}, claims=claims)
        signed.make_signed_token(self.jwk)
        form = {
            "grant_type": "client_credentials",
            "scope": scope,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": signed.serialize(),
        }
        with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), timeout=LONGEST) as answer:
            return json.load(answer)["access_token"]


class Server:
    """A server on a port of its own, with its clients."""

    def __init__(self, *args, keys=()):
        state = WORK / f"state-{uuid.uuid4()}"
        for key in keys:
            run(FHIREHOSE, "client", "add", key.client, "--id", key.client, "--jwks", key.public, "--scope", "system/*.read",
                "--state", state)
        command = [FHIREHOSE, "serve", "--data", DATA, "--state", state, "--listen", "127.0.0.1:0", "--no-watch", *args]
        self.process = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)
        said = ""
        for line in self.process.stderr:
            said += line
            if line.startswith("listening on "):
                self.root, self.base = line.strip().removeprefix("listening on ").rstrip(")").split(" (FHIR base ")
                return
        raise SystemExit(f"FAILED: the server does not start: {said}")

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=LONGEST)


def lines(folder):
    """Every line that a client or the command line wrote, with how often."""
    found = collections.Counter()
    for path in folder.rglob("*.ndjson*"):
        if path.name.startswith("log.") or path.parent.name == "error" or "OperationOutcome" in path.name:
            continue
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rb") as file:
            found.update(line.rstrip(b"\r\n") for line in file)
    return found


class Cases:
    """What was tried, each case in two folders."""

    def __init__(self):
        self.number = 0
        self.all = []

    def hold(self, client, name, fetch, *request):
        """`fetch` fills a folder; `request` is the same for `fhirehose export`."""
        self.number += 1
        got, wanted = WORK / f"got-{self.number}", WORK / f"wanted-{self.number}"
        got.mkdir()
        begun = time.monotonic()
        fetch(got)
        took = time.monotonic() - begun
        run(FHIREHOSE, "export", DATA, "-o", wanted, *request)
        got, wanted = lines(got), lines(wanted)
        more, less = (got - wanted).total(), (wanted - got).total()
        if more or less or not got:
            raise SystemExit(f"FAILED: {client}, {name}: {got.total()} lines, {more} too many, {less} missing")
        print(f"{client:12} {name:50} {got.total():5} lines, equal   {took:4.1f} s", flush=True)
        self.all.append(got)


def smart_fetch(server, *args, key=None, private=None):
    """A run of smart-fetch into a folder. It deletes the job when it has everything."""
    auth = [] if key is None else ["--smart-client-id", key.client, "--smart-key", private or key.jwks]
    program = CLIENTS / "python/bin/smart-fetch"
    return lambda folder: run(program, "bulk", "--fhir-url", server.base, "--no-default-filters", *args, *auth, folder)


def medplum(server, *args, token=None):
    """A run of Medplum's command line into a folder. It kicks off by POST, without a body."""
    auth = [] if token is None else ["--access-token", token]
    program = CLIENTS / "node/node_modules/.bin/medplum"
    base = ["--base-url", server.root + "/", "--fhir-url", urllib.parse.urlparse(server.base).path.strip("/")]
    return lambda folder: run(program, "bulk", "export", *base, *args, *auth, "-d", folder)


def ids(type_name, keep=lambda resource: True):
    with open(DATA / f"{type_name}.ndjson", "rb") as file:
        return [resource["id"] for resource in map(json.loads, file) if keep(resource)]


def open_guide(cases, server, group, patients):
    every = ("--type", TYPES)
    cases.hold("smart-fetch", "open, system", smart_fetch(server, *every), *every)
    cases.hold("smart-fetch", "open, group", smart_fetch(server, *every, "--group", group), *every, "--group", group)
    since = ("--type", "Condition,Patient", "--since", SINCE)
    cases.hold("smart-fetch", "open, _type, _since", smart_fetch(server, *since, "--since-mode", "updated"), *since)
    cases.hold("medplum", "open, system, everything", medplum(server))
    cases.hold("medplum", "open, all patients", medplum(server, "-e", "Patient"), "--patients", patients)
    cases.hold("medplum", "open, group", medplum(server, "-e", f"Group/{group}"), "--group", group)
    fetch = medplum(server, "-e", "Patient", "-t", "Condition,Patient", "-s", SINCE)
    cases.hold("medplum", "open, all patients, _type, _since", fetch, *since, "--patients", patients)


def guide(cases, server, group, rsa, ec):
    every = ("--type", TYPES)
    cases.hold("smart-fetch", "RS384, system", smart_fetch(server, *every, key=rsa), *every)
    fetch = smart_fetch(server, *every, "--group", group, key=ec, private=ec.pem)
    cases.hold("smart-fetch", "ES384, group, key as PEM", fetch, *every, "--group", group)
    filters = ("--type", "Condition,Observation", "--type-filter", LABORATORY, "--type-filter", ACTIVE)
    cases.hold("smart-fetch", "ES384, system, _typeFilter", smart_fetch(server, *filters, key=ec), *filters)
    fetch = medplum(server, token=rsa.token(server, "system/*.read"))
    cases.hold("medplum", "token by RS384, system, everything", fetch)
    fetch = medplum(server, "-e", f"Group/{group}", token=ec.token(server, "system/*.rs"))
    cases.hold("medplum", "token by ES384, scopes v2, group", fetch, "--group", group)


def oracle(cases, server, group, rsa, ec):
    """Medplum's client kicks off by POST, which Oracle does not take for groups."""
    every = ("--type", ORACLE_TYPES, "--group", group)
    by_profile = ("--profile", "oracle")
    cases.hold("smart-fetch", "oracle, RS384, group", smart_fetch(server, *every, key=rsa), *by_profile, *every)
    some = ("--type", "Condition,Observation", "--group", group, "--since", SINCE, "--type-filter", LABORATORY)
    fetch = smart_fetch(server, *some, "--since-mode", "updated", key=ec)
    cases.hold("smart-fetch", "oracle, ES384, group, _since, _typeFilter", fetch, *by_profile, *some)


def main():
    run(FHIREHOSE, "synth", "--patients", "40", "--seed", "3", "-o", DATA)
    group = ids("Group", lambda resource: len(resource.get("member", [])) == 16)[0]
    patients = WORK / "patients"
    patients.write_text("\n".join(ids("Patient")))
    rsa = Key("rsa", "RS384", kty="RSA", size=2048)
    ec = Key("ec", "ES384", kty="EC", crv="P-384")
    cases = Cases()
    for args, keys, tries in [
        (["--open"], [], lambda server: open_guide(cases, server, group, patients)),
        ([], [rsa, ec], lambda server: guide(cases, server, group, rsa, ec)),
        (["--profile", "oracle"], [rsa, ec], lambda server: oracle(cases, server, group, rsa, ec)),
    ]:
        server = Server(*args, keys=keys)
        try:
            tries(server)
        finally:
            server.stop()
    # A comparison that finds everything equal proves nothing.
    system, in_group = cases.all[:2]
    if system == in_group or not in_group < system:
        raise SystemExit("FAILED: the comparison does not tell a group from everybody")
    print(f"{len(cases.all)} passed, 0 failed")


main()
