"""The SDKs of senders with tokens, and of senders that sign the URL."""

import base64
import datetime as clock
import hashlib
import json
import logging
import warnings
from types import SimpleNamespace
from urllib.parse import unquote_to_bytes, urlparse

import django.conf
import hubspot.utils.signature
import jwt
import livekit.api.access_token
import livekit.api.webhook
import messagebird.request_validator
import qstash.receiver

import differential_requests as requests
from differential_peers import Frozen, Peer, base64_tag, is_normal, url_of
from differential_requests import b64

jwt.api_jwt.datetime = Frozen.datetime
livekit.api.access_token.datetime = SimpleNamespace(
    datetime=Frozen.datetime, timedelta=clock.timedelta, timezone=clock.timezone
)
# The events themselves are not compared.
livekit.api.webhook.Parse = lambda body, event, **options: event
hubspot.utils.signature.datetime = Frozen.datetime
# Random secrets are shorter than the libraries want them.
warnings.simplefilter("ignore")

LIFETIME = 300


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def is_canonical(token):
    """Whether there is no other way to write it: Python skips what is no base64."""
    try:
        return all(b64url(decoded(part)) == part for part in token.split("."))
    except ValueError:
        return False


class Token(Peer):
    """A JSON Web Token whose SDK only verifies, so that `jwt` signs."""

    is_timed = True
    # The SDKs have no leeway, or one that is not passed on: it is added here.
    shifts = (0,)

    def claims(self, case):
        raise NotImplementedError

    def key(self, case):
        return case.secret

    def sign(self, rng, case):
        case.headers = {self.header: jwt.encode(self.claims(case), self.key(case), "HS256")}

    @staticmethod
    def tag(header):
        message, _, signature = header.rpartition(".")
        return decoded(signature), lambda tag: f"{message}.{b64url(tag)}"

    def written_time(self, case):
        return str(case.time)

    def put_time(self, case, text):
        head, claims, signature = case.headers[self.header].split(".")
        claims = decoded(claims).decode().replace(str(case.time), text, 1)
        case.headers[self.header] = f"{head}.{b64url(claims.encode())}.{signature}"

    def says_at(self, case, now):
        Frozen.now_seconds = now
        return self.says(case)

    def accepts(self, case):
        is_signed = is_canonical(case.headers.get(self.header, ""))
        return is_signed and any(self.says_at(case, case.now + shift) for shift in self.shifts)

    def deviations(self):
        case = self.example(**self.url)
        head, claims, _ = case.headers[self.header].split(".")
        key = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
        first = json.loads(decoded(claims))["iss"]
        text = '{"iss":"another",' + decoded(claims).decode()[1:-1] + f',"iss":"{first}"' + "}"
        message = f"{head}.{b64url(text.encode())}"
        signature = key.sign(message.encode(), self.key(case).encode())
        case.headers[self.header] = f"{message}.{b64url(signature)}"
        Frozen.now_seconds = case.now
        yield "the issuer twice, the right one last", case, False, True


class MessageBird(Token):
    name, header, signs_url = "messagebird", "messagebird-signature-jwt", True
    tolerance, shifts = (LIFETIME + 1, 1), (0, -1)
    url = {"origin": "https://example.com", "target": "/x"}

    def claims(self, case):
        claims = {"iss": "MessageBird", "nbf": case.time, "exp": case.time + LIFETIME, "jti": "1"}
        claims["url_hash"] = hashlib.sha256(url_of(case).encode()).hexdigest()
        if case.body:
            claims["payload_hash"] = hashlib.sha256(case.body).hexdigest()
        return claims

    def verify(self, case):
        validator = messagebird.request_validator.RequestValidator(case.secret)
        return validator.validate_signature(case.headers[self.header], url_of(case), case.body)


class LiveKit(Token):
    name, header = "livekit", "authorization"
    tolerance, shifts = (LIFETIME + 10, 10), (0, -11, 10)
    url = {"secret": "key of the example:secret of the example"}

    def secret(self, rng):
        return rng.choice(requests.ALNUM) * rng.randint(1, 20) + ":" + super().secret(rng).replace("=", "_")

    def key(self, case):
        return case.secret.partition(":")[2]

    def verifier(self, case):
        id, _, secret = case.secret.partition(":")
        return livekit.api.access_token.TokenVerifier(id, secret, leeway=clock.timedelta())

    def sign(self, rng, case):
        Frozen.now_seconds = case.time
        id, _, secret = case.secret.partition(":")
        token = livekit.api.access_token.AccessToken(id, secret)
        token = token.with_ttl(clock.timedelta(seconds=LIFETIME))
        token = token.with_sha256(b64(hashlib.sha256(case.body).digest()))
        case.headers = {self.header: token.to_jwt()}

    def verify(self, case):
        receiver = livekit.api.webhook.WebhookReceiver(self.verifier(case))
        return receiver.receive(case.body.decode(), case.headers[self.header]) is not None


class Upstash(Token):
    name, header, signs_url = "upstash", "upstash-signature", True
    tolerance, shifts = (LIFETIME + 10, 10), (0, -11, 10)
    url = {"origin": "https://example.com", "target": "/x"}

    def claims(self, case):
        claims = {"iss": "Upstash", "sub": url_of(case), "jti": "1"}
        claims |= {"nbf": case.time, "iat": case.time, "exp": case.time + LIFETIME}
        return claims | {"body": b64url(hashlib.sha256(case.body).digest())}

    def verify(self, case):
        receiver = qstash.receiver.Receiver(case.secret, case.secret)
        body, signature = case.body.decode(), case.headers[self.header]
        return receiver.verify(signature=signature, body=body, url=url_of(case)) is None


class HubSpot(Peer):
    """Version 3. The SDK leaves the decoding of the URL to its caller."""

    name, header, signs_url, is_timed = "hubspot", "x-hubspot-signature-v3", True, True
    time_header, tolerance = "x-hubspot-request-timestamp", (299, 300)
    tag = staticmethod(base64_tag)
    sdk = hubspot.utils.signature.Signature

    def prepare(self, rng, case):
        # As HubSpot's are. The crate refuses a body that could be a part of the URL.
        case.body = json.dumps([requests.text(rng), requests.text(rng)]).encode()

    def url(self, case):
        url = url_of(case)
        for char in ":/?@!$'()*,;":
            url = url.replace(f"%{ord(char):02X}", char)
        return url

    def sign(self, rng, case):
        time = str(case.time * 1000)
        arguments = (case.secret, case.body.decode(), "v3", self.url(case), case.method, time)
        case.headers = {self.header: self.sdk.get_signature(*arguments), self.time_header: time}

    def verify(self, case):
        Frozen.now_seconds = case.now
        time = case.headers[self.time_header]
        arguments = (case.secret, case.body.decode(), self.url(case), case.method, "v3", time)
        return self.sdk.is_valid(case.headers[self.header], *arguments)

    def accepts(self, case):
        # The SDK reads any number, and bounds the past only, without its last second.
        time = case.headers[self.time_header]
        is_plain = time.isascii() and time.isdigit() and str(int(time)) == time
        if not is_plain or int(time) > (case.now + 300) * 1000:
            return False
        Frozen.now_seconds = case.now
        return self.says(case) or (int(time) == (case.now - 300) * 1000 and self.is_signed(case))

    def is_signed(self, case):
        return self.says(requests.Request(**{**vars(case), "now": case.now - 1}))


django.conf.settings.configure(ALLOWED_HOSTS=["*"], DATA_UPLOAD_MAX_NUMBER_FIELDS=None)
logging.disable(logging.CRITICAL)
import anymail.exceptions  # noqa: E402
import anymail.webhooks.mandrill  # noqa: E402
from django.test import RequestFactory  # noqa: E402


class Mandrill(Peer):
    """django-anymail, for want of a vendor's own library."""

    name, header, signs_url = "mandrill", "x-mandrill-signature", True
    tag = staticmethod(base64_tag)
    form = "application/x-www-form-urlencoded"

    def secret(self, rng):
        return requests.visible(rng, 8, 40).replace('"', "q").replace("'", "q") + "k"

    def prepare(self, rng, case):
        # Django writes these again.
        while not self.is_kept(case) or "mandrill_events" in case.target:
            case.origin, case.target = requests.origin(rng), requests.target(rng)
        value = requests.text(rng, 20).replace("\0", "0")
        quoted = "".join(
            chr(byte) if chr(byte) in requests.ALNUM else f"%{byte:02X}" for byte in value.encode()
        )
        case.body = b"mandrill_events=" + quoted.encode()

    @staticmethod
    def is_kept(case):
        port = urlparse(case.origin).port
        default = {"https": 443, "http": 80}[urlparse(case.origin).scheme]
        path = case.target.partition("?")[0]
        is_plain = not any(char in path for char in "%;'!*()+,$&=@~:")
        is_plain = is_plain and not path.startswith("//") and "/." not in path
        return port != default and is_plain and "?" not in case.target and is_normal(url_of(case))

    def unsigned(self, case):
        return {"content-type": self.form}

    def request(self, case):
        origin = urlparse(case.origin)
        meta = {"SERVER_NAME": origin.hostname, "HTTP_HOST": origin.netloc}
        if self.header in case.headers:
            meta["HTTP_X_MANDRILL_SIGNATURE"] = case.headers[self.header]
        return RequestFactory().generic(
            case.method, case.target, case.body, self.form, secure=origin.scheme == "https", **meta
        )

    def view(self, case):
        return anymail.webhooks.mandrill.MandrillCombinedWebhookView(webhook_key=case.secret)

    def sign(self, rng, case):
        import hmac

        text = url_of(case).encode()
        for pair in case.body.split(b"&"):
            name, _, value = pair.partition(b"=")
            text += unquote_to_bytes(name) + unquote_to_bytes(value)
        tag = hmac.digest(case.secret.encode(), text, "sha1")
        case.headers = {**self.unsigned(case), self.header: b64(tag)}

    def verify(self, case):
        return self.view(case).validate_request(self.request(case)) is None

    def accepts(self, case):
        # One parameter, which the crate demands, and as Django writes the URL.
        pairs = case.body.split(b"&")
        is_alone = len(pairs) == 1 and pairs[0].partition(b"=")[0] == b"mandrill_events"
        return is_alone and self.is_kept(case) and self.says(case)


TOKENS = [MessageBird(), LiveKit(), Upstash(), HubSpot(), Mandrill()]
