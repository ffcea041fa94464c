"""Providers without an SDK that verifies: Python's hmac, after the vendor's documentation."""

import hmac
import json
import re
import uuid
from datetime import datetime, timezone

import differential_requests as requests
from differential_peers import Peer, base64_tag, hex_tag, url_of
from differential_requests import b64


class Hmac(Peer):
    """After the vendor's documentation: content and header are written down here once more."""

    is_text = False

    def __init__(self, name, header, form, content=None, algorithm="sha256", **more):
        self.name, self.header, self.form, self.algorithm = name, header, form, algorithm
        self.content = content or (lambda case, time, id: case.body)
        self.is_base64 = "{base64}" in form
        self.tag = base64_tag if self.is_base64 else hex_tag
        self.time_header, self.id_header = more.get("time"), more.get("id")
        self.write_time = more.get("write_time", str)
        self.read_time = more.get("read_time", digits)
        self.tolerance = more.get("tolerance", (0, 0))
        self.is_timed, self.has_id = "tolerance" in more, bool(self.id_header)
        self.signs_url = more.get("signs_url", False)
        # Nothing stands between the parts. Vendors send documents and UUIDs, which cannot be cut into
        # one another; what could be is refused.
        self.is_undelimited = more.get("is_undelimited", False)

    def id(self, rng):
        if self.is_undelimited:
            return str(uuid.UUID(int=rng.getrandbits(128)))
        return requests.visible(rng)

    def prepare(self, rng, case):
        ends = (case.body[:1], case.body[-1:])
        if self.is_undelimited and ends not in [(b"", b""), (b"{", b"}"), (b"[", b"]")]:
            case.body = json.dumps({"text": case.body.decode("latin-1")}).encode()

    def deviations(self):
        if not self.is_undelimited:
            return
        body = b'{"a":1}h' if self.name == "trello" else b'h{"a":1}'
        case = self.example(body, origin="https://example.com", target="/hook")
        yield f"{self.name}: a document with a piece of a URL before or behind it", case, False, True

    def value(self, case, time):
        content = self.content(case, time.encode(), case.headers.get(self.id_header, "").encode())
        tag = hmac.new(case.secret.encode(), content, self.algorithm)
        return self.form.format(time=time, hex=tag.hexdigest(), base64=b64(tag.digest()))

    def sign(self, rng, case):
        case.headers = self.unsigned(case)
        time = self.write_time(case.time)
        if self.time_header:
            case.headers[self.time_header] = time
        case.headers[self.header] = self.value(case, time)

    def written_time(self, case):
        if self.time_header:
            return case.headers[self.time_header]
        return re.search(r"=([^;,]*)", case.headers.get(self.header, "="))[1]

    def put_time(self, case, text):
        if self.time_header:
            super().put_time(case, text)
        else:
            before = self.written_time(case)
            case.headers[self.header] = case.headers[self.header].replace(before, text, 1)

    def verify(self, case):
        time = ""
        if self.is_timed:
            time = self.written_time(case)
            age = case.now - self.read_time(time)
            if not -self.tolerance[1] <= age <= self.tolerance[0]:
                return False
        return hmac.compare_digest(self.value(case, time), case.headers[self.header])


def digits(text):
    if not re.fullmatch(r"[1-9][0-9]*", text):
        raise ValueError(text)
    return int(text)


def rfc3339(seconds):
    """With nanoseconds, which are too few to matter."""
    time = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{time}.000{seconds % 1_000_000:06}Z"


def read_rfc3339(text):
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z", text):
        raise ValueError(text)
    time = datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return int(time.timestamp()) + int(text[20:23]) / 1000


def seconds_with_literal(prefix, between):
    return lambda case, time, id: prefix + time + between + case.body


HMACS = [
    Hmac("github", "x-hub-signature-256", "sha256={hex}"),
    Hmac("meta", "x-hub-signature-256", "sha256={hex}"),
    Hmac("shopify", "x-shopify-hmac-sha256", "{base64}"),
    Hmac("webex", "x-spark-signature", "{hex}", algorithm="sha1"),
    Hmac("intercom", "x-hub-signature", "sha1={hex}", algorithm="sha1"),
    Hmac("line", "x-line-signature", "{base64}"),
    Hmac("typeform", "typeform-signature", "sha256={base64}"),
    Hmac("zoom", "x-zm-signature", "v0={hex}", seconds_with_literal(b"v0:", b":"),
         time="x-zm-request-timestamp", tolerance=(5610, 300)),
    Hmac("paddle", "paddle-signature", "ts={time};h1={hex}", seconds_with_literal(b"", b":"),
         tolerance=(5, 300)),
    Hmac("twitch", "twitch-eventsub-message-signature", "sha256={hex}",
         lambda case, time, id: id + time + case.body, id="twitch-eventsub-message-id",
         time="twitch-eventsub-message-timestamp", tolerance=(600, 300),
         write_time=rfc3339, read_time=read_rfc3339, is_undelimited=True),
    Hmac("square", "x-square-hmacsha256-signature", "{base64}",
         lambda case, time, id: url_of(case).encode() + case.body, signs_url=True,
         is_undelimited=True),
    Hmac("trello", "x-trello-webhook", "{base64}",
         lambda case, time, id: case.body + url_of(case).encode(), "sha1", signs_url=True,
         is_undelimited=True),
]
