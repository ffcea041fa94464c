"""The SDKs of senders that put the signature into the body and sign a part of it."""

import base64
import copy
import hmac
import json
import re
from types import SimpleNamespace
from urllib.parse import parse_qsl, unquote_plus

import Adyen.util
import braintree.webhook_notification_gateway
import braintree.webhook_testing_gateway
from braintree.util.crypto import Crypto
from braintree.webhook_notification import WebhookNotification
from dropbox_sign import EventCallbackHelper, EventCallbackRequest

import differential_requests as requests
# It configures Django.
import differential_tokens  # noqa: F401
from differential_peers import Frozen, Peer, base64_tag
from django.test import RequestFactory

# The events themselves are not compared.
braintree.webhook_notification_gateway.decodebytes = lambda payload: payload
braintree.webhook_notification_gateway.XmlUtil = SimpleNamespace(
    dict_from_xml=lambda payload: {"notification": payload}
)
braintree.webhook_notification_gateway.WebhookNotification = lambda gateway, payload: True
# The samples of Braintree have a time.
braintree.webhook_testing_gateway.datetime = SimpleNamespace(utcnow=Frozen.datetime.now)


def written(rng, value):
    """JSON as any sender could write it."""
    separators = rng.choice([(",", ":"), (", ", ": "), (" ,\n", "\t: ")])
    return json.dumps(value, ensure_ascii=rng.random() < 0.5, separators=separators)


def shuffled(rng, members):
    pairs = list(members.items())
    rng.shuffle(pairs)
    return dict(pairs)


class InJson(Peer):
    """A signature that is a text in a JSON document."""

    def document(self, case):
        return json.loads(case.body.decode())

    def signed_part(self, document, case):
        """The object in which the signature is."""
        raise NotImplementedError

    def written_signature(self, case):
        return self.signed_part(self.document(case), case)[self.field]

    def put_signature(self, case, text):
        before = f'"{self.written_signature(case)}"'.encode()
        case.body = case.body.replace(before, json.dumps(text).encode(), 1)

    def drop_signature(self, case):
        name = f'"{self.field}"'.encode()
        case.body = case.body.replace(name, b'"another"')


class AdyenItems(InJson):
    name, field = "adyen", "hmacSignature"
    tag = staticmethod(base64_tag)
    # Only `merchantReference` may have a colon: the SDK joins the fields with colons.
    plain = ["pspReference", "originalReference", "merchantAccountCode", "eventCode"]

    def secret(self, rng):
        key = (b"k" + rng.randbytes(rng.randint(0, 99))).hex()
        return rng.choice([key, key.upper()])

    def other_secret(self, rng, secret):
        at = rng.randrange(len(secret))
        digit = rng.choice([c for c in "0123456789abcdef" if c != secret[at].lower()])
        return secret[:at] + digit + secret[at + 1 :]

    def prepare(self, rng, case):
        count = rng.choice([1, 1, 1, 2, 3]) if rng.random() < 0.995 else 64
        items = [{"NotificationRequestItem": self.item(rng)} for _ in range(count)]
        document = {"live": rng.choice(["true", "false"]), "notificationItems": items}
        case.body = written(rng, shuffled(rng, document)).encode()

    def item(self, rng):
        item = {name: requests.text(rng, 6).replace(":", "_") for name in self.plain}
        item["merchantReference"] = requests.text(rng, 10)
        for name in rng.choices(list(item), k=rng.randrange(3)):
            item.pop(name, None)
        value = rng.choice([0, rng.randrange(100_000), -rng.randint(1, 9999), rng.getrandbits(80)])
        value = rng.choice([value, value, str(value)])
        item["amount"] = shuffled(rng, {"value": value, "currency": rng.choice(["EUR", "JPY", ""])})
        # The SDK writes the boolean as `True`, unlike Adyen: a deviation.
        item["success"] = rng.choice(["true", "false"])
        if rng.random() < 0.5:
            item["additionalData"] = {requests.text(rng, 2): requests.text(rng, 4)}
        if rng.random() < 0.5:
            item |= {"reason": requests.text(rng, 4), "operations": ["CANCEL", None], "value": 1.5}
        return shuffled(rng, item)

    def unsigned(self, case):
        return {"content-type": "application/json"} if case.time % 2 else {}

    def sign(self, rng, case):
        case.headers = self.unsigned(case)
        document = self.document(case)
        for wrapper in document["notificationItems"]:
            item = wrapper["NotificationRequestItem"]
            signature = Adyen.util.generate_notification_sig(item, case.secret).decode()
            item.setdefault("additionalData", {})[self.field] = signature
        case.body = (written(rng, document) if rng else json.dumps(document)).encode()

    def signed_part(self, document, case):
        items = document["notificationItems"]
        return items[case.time % len(items)]["NotificationRequestItem"]["additionalData"]

    def verify(self, case):
        return Adyen.util.is_valid_hmac_notification(self.document(case), case.secret)

    def accepts(self, case):
        # The SDK looks at the first item only, reads `-0` as 0, and demands a currency.
        minus = {"parse_int": lambda text: "minus 0" if text == "-0" else int(text)}
        try:
            items = json.loads(case.body.decode(), **minus)["notificationItems"]
            for item in items:
                item["NotificationRequestItem"]["amount"].setdefault("currency", "")
        except Exception:  # as in `says`
            return False
        alone = copy.copy(case)
        for item in items:
            alone.body = json.dumps({"notificationItems": [item]}).encode()
            if not self.says(alone):
                return False
        return 1 <= len(items) <= 64

    def signed_example(self, count=1, **fields):
        item = {"pspReference": "1", "merchantReference": "2", "eventCode": "AUTHORISATION"}
        item |= {"amount": {"value": 0, "currency": "EUR"}, "success": "true", **fields}
        items = [{"NotificationRequestItem": item}] * count
        body = json.dumps({"notificationItems": items}).encode()
        return self.example(body, secret="6d6164652d7570")

    def deviations(self):
        case = self.signed_example(pspReference="1:2")
        yield "Adyen: a colon in another field than `merchantReference`", case, False, True
        case = self.signed_example(success="True")
        case.body = case.body.replace(b'"True"', b"true")
        yield "Adyen: `success` as a boolean, signed as `True`", case, False, True
        case = self.signed_example()
        case.body = case.body.replace(b'"true"', b"true")
        yield "Adyen: `success` as a boolean, signed as `true`", case, True, False
        case = self.signed_example(originalReference="")
        case.body = case.body.replace(b'"originalReference": ""', b'"originalReference": null')
        yield "Adyen: `null` in place of an empty field", case, True, False
        case = self.signed_example()
        case.body = case.body.replace(b'"value": 0', b'"value": -0')
        yield "Adyen: an amount of `-0`, signed as `0`", case, False, True
        case = self.signed_example(amount={"value": 0, "currency": ""})
        case.body = case.body.replace(b', "currency": ""', b"")
        yield "Adyen: no currency, signed as a blank one", case, True, False
        case = self.signed_example(count=2)
        second = case.body.rindex(b"AUTHORISATION")
        case.body = case.body[:second] + b"REFUND" + case.body[second + 13 :]
        yield "Adyen: a second item that is not signed", case, False, True
        yield "Adyen: 65 items", self.signed_example(count=65), False, True
        case = self.signed_example()
        wrapper = self.document(case)["notificationItems"][0]
        case.body = json.dumps(wrapper["NotificationRequestItem"]).encode()
        yield "Adyen: an item without its list", case, False, True


class BraintreeForm(Peer):
    name = "braintree"
    kinds = [kind for name, kind in vars(WebhookNotification.Kind).items() if name[0] != "_"]
    signature = re.compile(rb"(?:^|(?<=&))bt_signature=([^&]*)")

    def public_key(self, rng):
        return "k" + re.sub("[:|&]", "_", requests.visible(rng, 0, 20))

    def secret(self, rng):
        # The SDK takes ASCII. This crate takes `NAME=` for a slip.
        private = requests.visible(rng, 0, rng.choice([40, 200])).replace("=", "_")
        return f"{self.public_key(rng)}:{rng.choice(requests.ALNUM)}{private}"

    def gateway(self, case):
        public, _, private = case.secret.partition(":")
        return SimpleNamespace(config=SimpleNamespace(public_key=public, private_key=private))

    @staticmethod
    def escaped(rng, text):
        """Only `=` and `/` need no escape in base64."""
        kept = requests.ALNUM + ("=/" if rng and rng.random() < 0.5 else "")
        letter = "X" if not rng or rng.random() < 0.5 else "x"
        pieces = (chr(b) if chr(b) in kept else f"%{b:02{letter}}" for b in text.encode())
        return "".join(pieces).encode()

    def payload(self, rng):
        kind = rng.random()
        if kind < 0.6:
            return base64.encodebytes(rng.randbytes(rng.randint(1, 300))).decode()
        if kind < 0.61:
            return base64.encodebytes(rng.randbytes(50_000)).decode()
        letters = requests.ALNUM + "+/=\n\n"
        return "".join(rng.choices(letters, k=rng.choice([1, 20, 32, 63, 64, 65, 200])))

    def prepare(self, rng, case):
        pairs = [b"bt_payload=" + self.escaped(rng, self.payload(rng))]
        for _ in range(rng.choice([0, 0, 0, 1, 3])):
            name, value = "x" + requests.text(rng, 2), requests.text(rng, 4)
            pairs.append(self.escaped(rng, name) + b"=" + self.escaped(rng, value))
        rng.shuffle(pairs)
        case.body = b"&".join(pairs)

    def unsigned(self, case):
        return {"content-type": "application/x-www-form-urlencoded"}

    def form(self, case):
        return dict(parse_qsl(case.body.decode(), keep_blank_values=True))

    def sign(self, rng, case):
        case.headers = self.unsigned(case)
        gateway, payload = self.gateway(case), self.form(case)["bt_payload"]
        pairs = case.body.split(b"&")
        if rng and rng.random() < 0.2:
            # The SDK makes an event and signs it.
            Frozen.now_seconds = case.now
            testing = braintree.webhook_testing_gateway.WebhookTestingGateway(gateway)
            sample = testing.sample_notification(rng.choice(self.kinds), requests.visible(rng))
            signature, payload = sample["bt_signature"], sample["bt_payload"].decode()
        else:
            tag = Crypto.sha1_hmac_hash(gateway.config.private_key, payload)
            signature = f"{gateway.config.public_key}|{tag}"
        if len(payload) > 1 and payload[-1] == "\n" and rng and rng.random() < 0.2:
            payload = payload[:-1]  # as after a reader that trims it
        pairs = [pair for pair in pairs if not pair.startswith(b"bt_payload=")]
        pairs.append(b"bt_payload=" + self.escaped(rng, payload))
        if rng and rng.random() < 0.3:
            others = [f"other{self.public_key(rng)}|{rng.randbytes(20).hex()}" for _ in range(2)]
            signature = "&".join(rng.sample([signature, *others], 3))
        pairs.append(b"bt_signature=" + self.escaped(rng, signature))
        if rng:
            rng.shuffle(pairs)
        case.body = b"&".join(pairs)

    def written_signature(self, case):
        return unquote_plus(self.signature.search(case.body)[1].decode())

    def put_signature(self, case, text):
        new = b"bt_signature=" + self.escaped(None, text)
        case.body = self.signature.sub(lambda _: new, case.body, count=1)

    def drop_signature(self, case):
        case.body = self.signature.sub(b"another=1", case.body, count=1)

    def verify(self, case):
        form = self.form(case)
        gateway = self.gateway(case)
        gateway = braintree.webhook_notification_gateway.WebhookNotificationGateway(gateway)
        return gateway.parse(form.get("bt_signature"), form.get("bt_payload"))

    def accepts(self, case):
        # The SDK refuses all signatures for one that it cannot read, takes only the first of a
        # public key, and compares the text of the digits.
        if not self.signature.search(case.body):
            return False
        for pair in self.written_signature(case).split("&"):
            public, bar, digits = pair.partition("|")
            alone = copy.copy(case)
            self.put_signature(alone, public + bar + digits.lower())
            if self.says(alone):
                return True
        return False

    def deviations(self):
        fields = {"secret": "public:private"}
        case = self.example(b"bt_payload=" + b"0123456789abcdef" * 2, **fields)
        yield "Braintree: a payload that is the text of a challenge", case, False, True
        for why, before in [("an unreadable signature", "a|b|c"), ("an invalid one", "public|00")]:
            case = self.example(b"bt_payload=abcd", **fields)
            self.put_signature(case, before + "&" + self.written_signature(case))
            yield f"Braintree: {why} before the valid one", case, True, False
        case = self.example(b"bt_payload=abcd", **fields)
        public, _, digits = self.written_signature(case).partition("|")
        self.put_signature(case, f"{public}|{digits.upper()}")
        yield "Braintree: hexadecimal in capitals: the same bytes", case, True, False
        case = self.example(b"bt_payload=abcd", **fields)
        case.body = b"bt_payload=another&" + case.body
        yield "Braintree: the payload twice, the right one last", case, False, True


class DropboxEvent(InJson):
    """The SDK only verifies, so that Python's hmac signs."""

    name, field = "dropbox_sign", "event_hash"
    types = """account_confirmed unknown_error file_error sign_url_invalid callback_test fax_sent
        signature_request_viewed signature_request_signed signature_request_sent template_created
        signature_request_all_signed signature_request_canceled fax_received""".split()
    part = b'--%s\r\nContent-Disposition: form-data; name="json"\r\n\r\n%s\r\n--%s--\r\n'

    def prepare(self, rng, case):
        event = {"event_time": str(case.time), "event_type": rng.choice(self.types)}
        if rng.random() < 0.7:
            names = ["related_signature_id", "reported_for_app_id", "event_message"]
            event["event_metadata"] = {name: requests.text(rng, 4) for name in names}
        document = {"event": shuffled(rng, event)}
        if rng.random() < 0.5:
            document["account"] = {"account_id": requests.text(rng, 4)}
        if rng.random() < 0.5:
            title = {"title": requests.text(rng, 10), "is_complete": rng.random() < 0.5}
            document["signature_request"] = title
        if rng.random() < 0.5:
            document[requests.text(rng, 2)] = [requests.text(rng, 4), 1.5, None]
        case.body = written(rng, shuffled(rng, document)).encode()

    def frame(self, case):
        # Django's reader and this crate's differ about broken forms; no SDK reads forms.
        start, end = case.body.index(b"{"), case.body.rindex(b"}") + 1
        return case.body[:start], case.body[start:end], case.body[end:]

    def boundary(self, case):
        """Of a form, which Dropbox Sign sends, or nothing for JSON."""
        found = re.search("boundary=(.*)", case.headers["content-type"])
        return found and found[1]

    def unsigned(self, case):
        form = f"multipart/form-data; boundary=----{case.time}"
        return {"content-type": form if case.time % 4 else "application/json"}

    def document(self, case):
        text = case.body.decode()
        if self.boundary(case):
            kind = case.headers["content-type"]
            text = RequestFactory().generic("POST", "/", case.body, kind).POST["json"]
        return json.loads(text)

    def sign(self, rng, case):
        document = json.loads(case.body)
        event = document["event"]
        content = event["event_time"] + event["event_type"]
        event[self.field] = hmac.digest(case.secret.encode(), content.encode(), "sha256").hex()
        document["event"] = shuffled(rng, event) if rng else event
        body = (written(rng, document) if rng else json.dumps(document)).encode()
        case.headers = self.unsigned(case)
        if boundary := self.boundary(case):
            body = self.part % (boundary.encode(), body, boundary.encode())
        case.body = body

    def signed_part(self, document, case):
        return document["event"]

    def verify(self, case):
        return self.is_valid(case, self.document(case))

    def is_valid(self, case, document):
        return EventCallbackHelper.is_valid(case.secret, EventCallbackRequest.init(document))

    def accepts(self, case):
        # The SDK compares the text of the digits.
        try:
            document = self.document(case)
            document["event"][self.field] = document["event"][self.field].lower()
            return self.is_valid(case, document)
        except Exception:  # as in `says`
            return False

    def deviations(self):
        event = {"event_time": "1700000000", "event_type": "fax_sent"}
        body = json.dumps({"event": event}).encode()
        case = self.example(body)
        case.body = case.body.replace(b'"event_type"', b'"event_type": "fax_busy", "event_type"')
        yield "Dropbox Sign: the type twice, the right one last", case, False, True
        case = self.example(body)
        digits = self.written_signature(case)
        case.body = case.body.replace(digits.encode(), digits.upper().encode())
        yield "Dropbox Sign: hexadecimal in capitals: the same bytes", case, True, False
        case = self.example(body.replace(b"fax_sent", b"new_type"))
        yield "Dropbox Sign: a type that the SDK does not know", case, True, False
        case = self.example(body.replace(b"1700000000", b"170000000"))
        yield "Dropbox Sign: a time of nine digits", case, False, True


BODIES = [AdyenItems(), BraintreeForm(), DropboxEvent()]
