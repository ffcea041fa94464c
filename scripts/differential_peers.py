"""The vendors' SDKs as signers and as second opinions."""

import base64
import binascii
import hashlib
import re
from datetime import datetime, timezone
from urllib.parse import parse_qsl, urlparse

import slack_sdk.signature
import standardwebhooks.webhooks
import stripe._webhook
import svix.webhooks
from twilio.request_validator import RequestValidator

import differential_requests as requests
from differential_requests import Request, b64


class Frozen:
    """The clock of the SDKs that have no parameter for it."""

    now_seconds = 0

    class time:
        @staticmethod
        def time():
            return Frozen.now_seconds

    class datetime(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(Frozen.now_seconds, tz)


stripe._webhook.time = Frozen.time
standardwebhooks.webhooks.datetime = Frozen.datetime


def hex_tag(header):
    """The tag at the end of a header, and how to write another one there."""
    found = re.search(r"[0-9a-f]+$", header)
    return bytes.fromhex(found[0]), lambda tag: header[: found.start()] + tag.hex()


def base64_tag(header):
    found = re.search(r"[0-9A-Za-z+/]+=*$", header)
    return base64.b64decode(found[0]), lambda tag: header[: found.start()] + b64(tag)


class Peer:
    tolerance = (0, 0)
    is_timed = has_id = signs_url = False
    is_text = True  # what the SDK takes as a body
    time_header = id_header = None
    more_changes = ()  # of this peer alone: see `change`
    tag = staticmethod(hex_tag)

    def secret(self, rng):
        return requests.secret_text(rng)

    def other_secret(self, rng, secret):
        return requests.other_char(rng, secret)

    def id(self, rng):
        return ""

    def prepare(self, rng, case):
        pass

    def unsigned(self, case):
        return {self.id_header: case.id} if self.id_header else {}

    def frame(self, case):
        """The body, and what stands before and behind it."""
        return b"", case.body, b""

    def written_signature(self, case):
        return case.headers[self.header]

    def put_signature(self, case, text):
        case.headers[self.header] = text

    def drop_signature(self, case):
        del case.headers[self.header]

    def written_time(self, case):
        return case.headers[self.time_header]

    def put_time(self, case, text):
        case.headers[self.time_header] = text

    def put_id(self, case, text):
        case.headers[self.id_header] = text

    def change(self, rng, case, how):
        raise NotImplementedError

    def accepts(self, case):
        """As the peer says, but for what is listed as a deviation."""
        return self.says(case)

    def says(self, case):
        try:
            return bool(self.verify(case))
        except Exception:  # each SDK has exceptions of its own, and leaks others
            return False

    def deviations(self):
        return []

    def example(self, body=b"{}", offset=0, secret="secret of the example", **fields):
        case = Request(secret=secret, now=1_700_000_000, body=body, **fields)
        case.time, case.id = case.now + offset, "msg_1"
        self.sign(None, case)
        return case


class Twilio(Peer):
    name, header, signs_url = "twilio", "x-twilio-signature", True
    tag = staticmethod(base64_tag)

    class Form(dict):
        """As the MultiDicts of the frameworks."""

        def __init__(self, pairs):
            for name, value in pairs:
                self.setdefault(name, []).append(value)

        getall = dict.__getitem__

    def prepare(self, rng, case):
        while not is_normal(url_of(case)):
            case.target = requests.target(rng)
        kind = rng.random()
        if kind < 0.1:
            case.method, case.body = "GET", b""
        elif kind < 0.25:
            separator = "&" if "?" in case.target else "?"
            digest = hashlib.sha256(case.body).hexdigest()
            case.target += f"{separator}bodySHA256={digest}"
        else:
            case.body = requests.form(rng)

    def unsigned(self, case):
        if "bodySHA256=" in case.target:
            return {"content-type": "application/json"}
        return {"content-type": "application/x-www-form-urlencoded"}

    def parameters(self, case):
        if case.method == "GET":
            return {}
        if "bodySHA256=" in case.target or "form" not in case.headers["content-type"]:
            return case.body.decode()
        pairs = parse_qsl(case.body.decode(), keep_blank_values=True, errors="surrogateescape")
        return self.Form(pairs)

    def sign(self, rng, case):
        case.headers = self.unsigned(case)
        signed, parameters = url_of(case), self.parameters(case)
        if isinstance(parameters, str):
            parameters = {}  # the URL has the hash
        if rng and rng.random() < 0.2:
            # As it says itself, the port may be there or not.
            origin = urlparse(case.origin)
            default = {"https": 443, "http": 80}[origin.scheme]
            host = origin.hostname if origin.port else f"{origin.hostname}:{default}"
            signed = f"{origin.scheme}://{host}{case.target}"
        case.headers[self.header] = RequestValidator(case.secret).compute_signature(
            signed, parameters
        )

    def verify(self, case):
        validator, signature = RequestValidator(case.secret), case.headers[self.header]
        return validator.validate(url_of(case), self.parameters(case), signature)

    def accepts(self, case):
        parameters = self.parameters(case)
        has_blanks = isinstance(parameters, self.Form) and "" in parameters.get("", [])
        is_covered = not has_blanks and (case.method != "GET" or not case.body)
        return is_covered and is_normal(url_of(case)) and self.says(case)

    def deviations(self):
        url = {"origin": "https://example.com", "target": "/x"}
        for why, target in [("a `?`", "/x?"), ("a `;`", "/x;")]:
            case = self.example(b"A=1", origin=url["origin"], target=target)
            yield why + " with nothing behind it in the URL, as signed", case, True, False
        for why, host in [("user and password", "u:p@example.com"), ("an IPv6 address", "[::1]")]:
            case = self.example(b"A=1", origin=f"https://{host}", target="/x")
            case.origin += ":8443"
            yield why + " in the URL, signed without its port", case, True, False
        case = self.example(method="GET", body=b"", **url)
        case.body = b"anything"
        yield "a body put to a GET, which nothing covers", case, False, True
        case = self.example(b"=&=", **url)
        yield "a form of blanks, which any signature of the URL covers", case, False, True
        case = self.example(b"A=1", **url)
        case.body += b"&="
        yield "a blank pair put to a form, which nothing covers", case, False, True
        case = self.example(b"A=1", **url)
        case.target += ";"
        yield "a `;` put to the end of the signed URL", case, False, True


def url_of(case):
    return case.origin + case.target


def is_normal(url):
    """Whether the SDK leaves it as it is."""
    return urlparse(url).geturl() == url


class Stripe(Peer):
    name, header, is_timed, tolerance = "stripe", "stripe-signature", True, (300, 300)

    def sign(self, rng, case):
        case.headers[self.header] = stripe._webhook.WebhookSignature.generate_signature_header(
            case.body.decode(), case.secret, case.time
        )

    def written_time(self, case):
        return re.match(r"t=([^,]*)", case.headers[self.header])[1]

    def put_time(self, case, text):
        rest = case.headers[self.header].partition(",")[2]
        case.headers[self.header] = f"t={text},{rest}"

    def verify(self, case):
        Frozen.now_seconds = case.now
        header = case.headers.get(self.header)
        return stripe._webhook.WebhookSignature.verify_header(case.body, header, case.secret, 300)

    def accepts(self, case):
        return self.says(case) and int(self.written_time(case)) <= case.now + 300

    def deviations(self):
        yield "a time more than 5 minutes ahead", self.example(offset=301), False, True
        upper = self.example()
        _, write = hex_tag(upper.headers[self.header])
        tag, _ = hex_tag(upper.headers[self.header])
        upper.headers[self.header] = write(tag).replace(tag.hex(), tag.hex().upper())
        yield "hexadecimal in capitals: the same bytes", upper, True, False
        spaced = self.example()
        spaced.headers[self.header] = spaced.headers[self.header].replace("t=", "t=+")
        yield "a sign before the time", spaced, False, True


class StandardWebhooks(Peer):
    name, is_timed, has_id, tolerance = "standard_webhooks", True, True, (300, 300)
    tag = staticmethod(base64_tag)
    family, sdk = "webhook", standardwebhooks.webhooks.Webhook

    def __init__(self):
        self.header = f"{self.family}-signature"
        self.id_header = f"{self.family}-id"
        self.time_header = f"{self.family}-timestamp"

    def secret(self, rng):
        key = b"k" + rng.randbytes(rng.randint(23, 90))
        text = b64(key)
        if rng.random() < 0.2:
            text = text.rstrip("=")
        return text if rng.random() < 0.3 else "whsec_" + text

    def other_secret(self, rng, secret):
        prefix = "whsec_" if secret.startswith("whsec_") else ""
        key = bytearray(base64.b64decode(secret[len(prefix) :] + "=="))
        key[rng.randrange(len(key))] ^= 1 << rng.randrange(8)
        return prefix + b64(key)

    def id(self, rng):
        # A dot makes the signed content ambiguous; commas and the like are fine.
        return requests.visible(rng).replace(".", "_")

    def sign(self, rng, case):
        time = datetime.fromtimestamp(case.time, timezone.utc)
        signature = self.sdk(case.secret).sign(case.id, time, case.body.decode())
        if rng and rng.random() < 0.2:
            other = b64(rng.randbytes(32))
            signature = rng.choice([f"v1,{other} {signature}", f"v1a,{other} {signature}"])
        case.headers = {
            self.header: signature,
            self.id_header: case.id,
            self.time_header: str(case.time),
        }

    def verify(self, case):
        Frozen.now_seconds = case.now
        arguments = {} if self.family == "svix" else {"json_parse": False}
        return self.sdk(case.secret).verify(case.body, case.headers, **arguments) is None

    def accepts(self, case):
        # The SDK skips what is no base64 and what is over in the last digit, and one signature
        # that it cannot read is the end of all.
        candidates = case.headers.get(self.header, "").split(" ")
        for candidate in candidates:
            alone = Request(**vars(case))
            alone.headers = {**case.headers, self.header: candidate}
            if is_canonical(candidate.partition(",")[2]) and self.says(alone):
                return True
        return False

    def deviations(self):
        case = self.example(secret="whsec_c2VjcmV0IG9mIHRoZSBleGFtcGxl")
        case.headers[self.time_header] += ".5"
        yield "a fraction of a second", case, False, True
        case = self.example(secret="whsec_c2VjcmV0IG9mIHRoZSBleGFtcGxl")
        header = case.headers[self.header]
        case.headers[self.header] = header.replace("v1,", "v1,-")
        yield "a character that is no base64", case, False, True
        case = self.example(secret="whsec_c2VjcmV0IG9mIHRoZSBleGFtcGxl")
        case.headers[self.header] = "v1,unreadable " + case.headers[self.header]
        yield "an unreadable signature before the good one", case, True, False
        case = self.example(secret="whsec_c2VjcmV0IG9mIHRoZSBleGFtcGxl")
        case.id = "msg.1"
        self.sign(None, case)
        yield "a dot in the id", case, False, True


class Svix(StandardWebhooks):
    name, family, sdk = "svix", "svix", svix.webhooks.Webhook

    def deviations(self):
        yield from super().deviations()
        case = self.example(secret="whsec_c2VjcmV0IG9mIHRoZSBleGFtcGxl")
        case.headers["webhook-id"] = "other"
        yield "headers of both families", case, False, True


def is_canonical(text):
    try:
        return b64(base64.b64decode(text, validate=True)) == text
    except binascii.Error:
        return False


class Slack(Peer):
    name, header, is_timed, tolerance = "slack", "x-slack-signature", True, (300, 300)
    time_header = "x-slack-request-timestamp"

    class Clock:
        def now(self):
            return Frozen.now_seconds

    def verifier(self, case):
        Frozen.now_seconds = case.now
        return slack_sdk.signature.SignatureVerifier(case.secret, self.Clock())

    def sign(self, rng, case):
        time = str(case.time)
        signature = self.verifier(case).generate_signature(timestamp=time, body=case.body)
        case.headers = {self.header: signature, self.time_header: time}

    def verify(self, case):
        return self.verifier(case).is_valid_request(case.body, case.headers)

    def deviations(self):
        case = self.example()
        time = "0" + case.headers[self.time_header]
        signed = self.verifier(case).generate_signature(timestamp=time, body=case.body)
        case.headers = {self.header: signed, self.time_header: time}
        yield "a zero before the time, signed", case, False, True


SDKS = [Twilio(), Stripe(), StandardWebhooks(), Svix(), Slack()]
