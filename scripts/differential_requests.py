"""Random requests, as nasty as a sender's SDK lets them be, and random changes of them."""

import base64
import copy
import json
import string
from dataclasses import dataclass, field

ALNUM = string.ascii_letters + string.digits
VISIBLE = [chr(byte) for byte in range(0x21, 0x7F)]
NASTY = [
    "\0", "\r\n", "\n", "\t", " ", "+", "%", "&", "=", ";", ",", ".", ":", '"', "'", "\\", "/",
    "é", "e\u0301", "ß", "日本", "\u202e", "\u2028", "\ufeff", "\u200d", "\U0001f600", "\x7f",
    "\x85", "\xa0", "%20", "%00", "%zz", "&amp;", "v1=", "t=", "sha256=", "\u0130", "\uffff",
]
# What may stand in a path and query as it is.
IN_URL = ALNUM + "-._~!$&'()*+,;=:@/"


@dataclass
class Request:
    secret: str
    now: int
    body: bytes
    method: str = "POST"
    origin: str = ""
    target: str = "/webhooks"
    headers: dict = field(default_factory=dict)
    time: int = 0
    id: str = ""


def pieces(rng, count):
    """Text of any characters but lone surrogates, which have no UTF-8."""
    for _ in range(count):
        kind = rng.random()
        if kind < 0.4:
            yield rng.choice(NASTY)
        elif kind < 0.8:
            yield "".join(rng.choices(ALNUM, k=rng.randrange(1, 9)))
        else:
            point = rng.randrange(0x110000 - 0x800)
            yield chr(point if point < 0xD800 else point + 0x800)


POOL = []


def text(rng, most=40):
    if rng.random() < 0.0002 or not POOL:
        POOL[:] = pieces(rng, 2000)
    return "".join(rng.choices(POOL, k=rng.randrange(most + 1)))


def visible(rng, least=1, most=40):
    return "".join(rng.choices(VISIBLE, k=rng.randint(least, most)))


def secret_text(rng):
    """Not blank and without blanks around it, of which no secret is made."""
    kind = rng.random()
    if kind < 0.5:
        middle = visible(rng, 0, 40)
    elif kind < 0.8:
        middle = text(rng, 20)
    else:
        middle = visible(rng, 60, 200)  # around and over the hash's block
    if rng.random() < 0.1:
        return rng.choice(ALNUM)
    return rng.choice(ALNUM) + middle + rng.choice(ALNUM)


def form(rng):
    """A form, not always escaped as a browser would."""
    def escape(value):
        out = []
        for byte in value.encode():
            char, kind = chr(byte), rng.random()
            if char == " ":
                out.append("+" if kind < 0.5 else "%20")
            elif char in ALNUM and kind < 0.95:
                out.append(char)
            elif char in "*-._~!'()/:@,;$?\"" and kind < 0.5:
                out.append(char)
            else:
                out.append(f"%{byte:02X}" if kind < 0.7 else f"%{byte:02x}")
        return "".join(out)
    most = 6 if rng.random() < 0.995 else 300
    pairs = [(text(rng, 3), text(rng, 5)) for _ in range(rng.randint(1, most))]
    pairs += rng.choices(pairs, k=rng.randrange(3))  # the same pair again
    pairs += [(name, text(rng, 3)) for name, _ in rng.choices(pairs, k=rng.randrange(3))]
    # A blank name with a blank value adds nothing to what is signed, and is refused: a deviation.
    pairs = [(name or "A" * (not value), value) for name, value in pairs]
    pairs.append(("Body", text(rng, 20)))
    rng.shuffle(pairs)
    pieces = [
        escape(name) + ("" if not value and rng.random() < 0.3 else "=" + escape(value))
        for name, value in pairs
    ]
    return "&".join(pieces + [""] * (rng.random() < 0.05)).encode()


def body(rng, is_text):
    kind = rng.random()
    if kind < 0.03:
        return b""
    if kind < 0.4:
        value = {text(rng, 3): text(rng, 10) for _ in range(rng.randrange(5))}
        return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode()
    if kind < 0.55:
        return form(rng)
    if kind < 0.56:
        size = rng.choice([55, 56, 63, 64, 65, 1000, 65_535, 200_000 if rng.random() < 0.1 else 300])  # the hash's blocks too
        return rng.choice([b"a", b"\0", b"\r\n", "é".encode()]) * size
    if kind < 0.8 and not is_text:
        return rng.randbytes(rng.randrange(200))
    return text(rng, 25).encode()


def request(rng, peer, signed=True):
    case = Request(secret=peer.secret(rng), now=rng.randrange(1_000_000_000, 2_500_000_000), body=b"")
    past, future = peer.tolerance
    # The edges of the tolerance too.
    case.time = case.now + rng.choice([rng.randint(-past, future), -past, future, 0])
    case.id = peer.id(rng)
    case.body = body(rng, peer.is_text)
    if peer.signs_url:
        case.origin, case.target = origin(rng), target(rng)
    if not signed:
        case.now = case.time
    peer.prepare(rng, case)
    if signed:
        peer.sign(rng, case)
    else:
        case.headers = peer.unsigned(case)
    return case


def origin(rng):
    host = rng.choice(["example.com", "a.b.example.co.uk", "192.0.2.7", "xn--bcher-kva.example", "h"])
    port = rng.choice(["", "", ":8443", ":1", ":65535", ":443", ":80"])
    return rng.choice(["https://", "http://"]) + host + port


def target(rng):
    def piece(least):
        chars = rng.choices(IN_URL, k=rng.randint(least, 20))
        escapes = [f"%{byte:02X}" for byte in text(rng, 2).encode()]
        return "".join(chars + escapes)
    path = "/" + piece(0)
    return path + ("?" + piece(1) if rng.random() < 0.5 else "")


def flip(rng, data):
    """One bit, one byte more or one byte less."""
    at, kind = rng.randrange(len(data) + 1), rng.random()
    if kind < 0.7 and data:
        at = min(at, len(data) - 1)
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]
    if kind < 0.85 and data:
        at = min(at, len(data) - 1)
        return data[:at] + data[at + 1:]
    return data[:at] + bytes([rng.randrange(256)]) + data[at:]


def other_char(rng, value):
    """Another visible character at one place; hex digits in the other case are no other ones."""
    at = rng.randrange(len(value))
    char = rng.choice([c for c in VISIBLE if c.lower() != value[at].lower()])
    return value[:at] + char + value[at + 1:]


def change(rng, peer, genuine):
    """The request with one change, and what was changed."""
    case = copy.copy(genuine)
    case.headers = dict(genuine.headers)
    kinds = ["body", "tag", "tag", "secret", "text", "no signature"]
    kinds += ["time", "stale", "future"] if peer.is_timed else []
    kinds += ["id"] if peer.has_id else []
    kinds += ["url"] if peer.signs_url else []
    how = rng.choice(kinds + list(peer.more_changes))
    if how == "body":
        before, inner, behind = peer.frame(case)
        case.body = before + flip(rng, inner) + behind
        while peer.is_text and not is_utf8(case.body):
            case.body = before + flip(rng, inner) + behind
    elif how == "secret":
        case.secret = peer.other_secret(rng, case.secret)
    elif how == "tag":
        tag, write = peer.tag(peer.written_signature(case))
        at = rng.randrange(len(tag))
        bad = bytes([tag[at] ^ 1 << rng.randrange(8)])
        # A bit, or the end cut off, or something behind it.
        tag = rng.choice([tag[:at] + bad + tag[at + 1:]] * 8 + [tag[:at], tag + bad])
        peer.put_signature(case, write(tag))
    elif how == "text":
        peer.put_signature(case, other_char(rng, peer.written_signature(case)))
    elif how == "no signature":
        peer.drop_signature(case)
    elif how == "time":
        written = peer.written_time(case)
        peer.put_time(case, other_char(rng, written))
    elif how in ("stale", "future"):
        # Signed anew, so that nothing but its age is wrong.
        past, future = peer.tolerance
        beyond = rng.choice([1, 2, rng.randrange(1, 100_000)])
        case.time = case.now + (-past - beyond if how == "stale" else future + beyond)
        peer.sign(rng, case)
    elif how == "id":
        peer.put_id(case, other_char(rng, case.id))
    elif how == "url":
        change_url(rng, case)
    else:
        peer.change(rng, case, how)
    return case, how


def change_url(rng, case):
    if rng.random() < 0.3:
        before = case.origin
        while case.origin == before:
            case.origin = origin(rng)
        return
    at = rng.randrange(1, len(case.target) + 1)
    char = rng.choice([c for c in IN_URL if c != case.target[at:at + 1]])
    case.target = rng.choice([
        case.target[:at] + char + case.target[at + 1:],
        case.target[:at] + char + case.target[at:],
        case.target + "/",
    ])


def is_utf8(data):
    try:
        data.decode()
        return True
    except UnicodeDecodeError:
        return False


def b64(data):
    return base64.b64encode(data).decode()
