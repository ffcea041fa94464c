"""The requests of scripts/proxies.py, and the clients that send them."""

import base64
import functools
import hashlib
import hmac
import http.client
import socket
import subprocess
import time
from dataclasses import dataclass, field, replace

import httpx

SECRET = b"the secret of scripts/proxies"
# The layer's limit on drained bytes where its body limit is lower.
DRAINED = 1 << 20
PATIENCE = 20


@dataclass
class Case:
    """A kind of answer, and the request that gets it."""

    name: str
    target: str
    # "<status> <reason of the rejection>". More than one where a proxy changes the request.
    expected: set
    headers: list = field(default_factory=list)
    method: str = "POST"
    body: bytes = b""
    is_chunked: bool = False
    is_control: bool = False
    # Whether its answer comes early with a body limit of 25 MiB as well.
    is_for_large: bool = True

    def head(self):
        framing = ("Content-Length", len(self.body))
        if self.is_chunked:
            framing = ("Transfer-Encoding", "chunked")
        headers = [("Host", "hooks.example.com"), *self.headers, framing]
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers)]
        return "\r\n".join([*lines, "", ""]).encode()

    def framed_body(self):
        if not self.is_chunked:
            return self.body
        framed = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in self.pieces()]
        return b"".join([*framed, b"0\r\n\r\n"])

    def pieces(self):
        return [self.body[at : at + 16384] for at in range(0, len(self.body), 16384)]


META = "x-hub-signature-256"
WRONG = [(META, "sha256=" + "0" * 64)]
SLACK = [("x-slack-signature", "v0=" + "0" * 64), ("x-slack-request-timestamp", "1000000000")]
TWILIO = [("x-twilio-signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
          ("content-type", "application/x-www-form-urlencoded")]
SUBSCRIBE = "/meta?hub.mode=subscribe&hub.verify_token=verify%20token&hub.challenge=1"
TOO_LARGE = {"413 body_too_large"}
# A small body may take the place of those that fill the budget.
OVERLOAD = {"503 overload", "403 signature_mismatch"}
PANIC = {"500 verifier_panicked"}
KINDS = [
    Case("missing", "/meta", {"403 missing"}),
    Case("malformed", "/meta", {"403 malformed"}, [(META, "sha256=zz")]),
    # Apache joins repeated headers to one.
    Case("repeated", "/meta", {"403 repeated", "403 malformed"}, WRONG * 2),
    Case("stale", "/slack", {"403 timestamp_stale"}, SLACK),
    Case("unknown URL", "/twilio", {"403 unknown_url"}, TWILIO),
    Case("look-up failed", "/unavailable", {"503 verifier_unavailable"}),
    Case("unknown tenant", "/unknown", {"403 unknown_tenant"}),
    Case("panic at head", "/panic_at_head", PANIC),
    Case("panic at body", "/panic_at_body", PANIC),
    Case("declared length", "/small", TOO_LARGE, WRONG, is_for_large=False),
    Case("chunked", "/small", TOO_LARGE, WRONG, is_chunked=True, is_for_large=False),
    Case("overload", "/overload", OVERLOAD, WRONG),
    Case("POST challenge", "/graph?validationToken=1", {"200 none"}),
    Case("GET challenge", SUBSCRIBE, {"200 none"}, method="GET"),
    # 200 over HTTP/2 only.
    Case("gRPC", "/meta", {"403 missing", "200 missing grpc 7"},
         [("content-type", "application/grpc"), ("te", "trailers")]),
    Case("mismatch", "/meta", {"403 signature_mismatch"}, WRONG, is_control=True),
    Case("genuine", "/meta", {"200 none"}, is_control=True),
]
MISSING, GENUINE = KINDS[0], KINDS[-1]

# Paths and queries as senders write them, each signed as it is here.
TARGETS = ["/hook", "/hook?a=b&c=d", "/", "/?a", "/hook?", "/hook?q=a+b%20c", "/hook?x=%2F%27'",
           "/hook;v=1?a;b=2", "/hook%20a", "/h%7Eook", "/%68ook", "/a%2Fb", "/a//b", "/a/./b",
           "/a/../b", "/hook?u=https://a.example//b/../c"]


def signed_url(provider, base, prefix, target):
    """A request for this target, signed by a provider that signs the URL."""
    url, body, content_type = f"{base}{target}".encode(), b'{"a":1}', "application/json"
    if provider == "twilio":
        body, content_type = b"a=1", "application/x-www-form-urlencoded"
        header, signed, algorithm = "x-twilio-signature", url + b"a1", hashlib.sha1
    elif provider == "square":
        header, signed = "x-square-hmacsha256-signature", url + body
        algorithm = hashlib.sha256
    else:
        header, signed, algorithm = "x-trello-webhook", body + url, hashlib.sha1
    tag = base64.b64encode(hmac.new(SECRET, signed, algorithm).digest()).decode()
    headers = [(header, tag), ("content-type", content_type)]
    headers += [("x-provider", provider), ("x-base", base)]
    return Case(target, prefix + target, {"200 none"}, headers, body=body)


@functools.lru_cache
def body_of(size):
    return b"a" * size


def sized(kind, size):
    """The request of a kind, with a body of this size."""
    body, headers = body_of(size), kind.headers
    if kind is GENUINE:
        headers = [(META, "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest())]
    prefix = "/1" if size <= DRAINED else "/25"
    return replace(kind, target=prefix + kind.target, headers=headers, body=body)


# Clients: each returns what arrived, as in `Case.expected`, or how the answer was lost.


def seen(status, headers):
    grpc = headers.get("grpc-status")
    return f"{status} {headers.get('x-reason', '')}".strip() + (f" grpc {grpc}" if grpc else "")


def losing(client):
    """A client whose errors are outcomes."""

    @functools.wraps(client)
    def wrapped(port, sent):
        try:
            return client(port, sent)
        except (OSError, http.client.HTTPException, httpx.HTTPError) as error:
            return type(error).__name__

    return wrapped


@losing
def by_socket(port, sent):
    """Writes all before it reads, as the senders that lose most."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as stream:
        stream.sendall(sent.head() + sent.framed_body())
        response = http.client.HTTPResponse(stream, method=sent.method)
        response.begin()
        response.read()
        return seen(response.status, response.headers)


def by_curl(port, sent, version="--http1.1"):
    command = ["curl", "-sS", version, "-X", sent.method, "-o", "/dev/null", "-D", "-"]
    command += ["-m", str(PATIENCE), "-H", "Expect:", "-H", "Content-Type:"]
    command += [part for name, value in sent.headers for part in ("-H", f"{name}: {value}")]
    command += ["-T", "-"] if sent.is_chunked else ["--data-binary", "@-"]
    url = f"http://127.0.0.1:{port}{sent.target}"
    done = subprocess.run([*command, url], input=sent.body, capture_output=True)
    if done.returncode:
        return f"curl exit {done.returncode}"
    status, *lines = done.stdout.decode().strip().split("\r\n\r\n")[-1].split("\r\n")
    return seen(status.split()[1], dict(line.lower().split(": ", 1) for line in lines))


@losing
def by_httpx(port, sent):
    content = iter(sent.pieces()) if sent.is_chunked else sent.body
    url = f"http://127.0.0.1:{port}{sent.target}"
    with httpx.Client(http1=False, http2=True, timeout=PATIENCE, trust_env=False) as client:
        response = client.request(sent.method, url, headers=sent.headers, content=content)
    return seen(response.status_code, response.headers)


@losing
def by_waiting_socket(port, sent):
    """Writes the body when it is asked for. Each status, and how soon the first came."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as stream:
        start = time.monotonic()
        stream.sendall(sent.head())
        reader = stream.makefile("rb")
        statuses = [reader.readline()[9:12].decode()]
        took = "at once" if time.monotonic() - start < 0.4 else "late"
        headers = http.client.parse_headers(reader)
        if statuses == ["100"]:
            stream.sendall(sent.framed_body())
        while statuses[-1] == "100":
            statuses.append(reader.readline()[9:12].decode())
            headers = http.client.parse_headers(reader)
        forwarded = ", `Expect` forwarded" if "x-expect" in headers else ""
        return f"{' then '.join(statuses)} {took}{forwarded}"


def expecting(sent):
    return replace(sent, headers=[*sent.headers, ("Expect", "100-continue")])
