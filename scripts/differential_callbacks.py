"""Callbacks with an encrypted message: wechatpy encrypts, signs, verifies and decrypts."""

import base64
import copy
import hashlib
import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import parse_qsl, quote, urlsplit

import wechatpy.crypto
import wechatpy.enterprise.crypto
from wechatpy.exceptions import InvalidSignatureException
from wechatpy.utils import WeChatSigner

import differential_requests as requests
from differential_peers import Peer

NO_CHAR = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
DECLARATION = re.compile(
    """<[?]xml\\s+version=["']1[.]0["'](\\s+encoding=["']utf-8["']|\\s+standalone=["'](yes|no)["'])*"""
    """\\s*[?]>""",
    re.IGNORECASE,
)
NAME = re.compile("[A-Za-z_][A-Za-z0-9_.-]*")
NO_FLAT_DOCUMENT = re.compile("&|<!--|<!DOCTYPE|<[?](?!xml[ \n])")


class Callback(Peer):
    is_timed, tolerance = True, (300, 300)
    encoding_key = base64.b64encode(hashlib.sha256(b"key of the callbacks").digest()).decode()[:-1]
    receiver = "wx5823bf96d3bd56c7"
    mode = []
    more_changes = (
        "nonce", "ends", "ends", "exchange", "twice", "method", "type", "document", "document",
    )

    def crypto(self, case):
        return self.sdk(case.secret, self.encoding_key, self.receiver)

    def prepare(self, rng, case):
        size = rng.choice([9, 10, 10, 16, rng.randint(1, 32)])
        case.id = "".join(rng.choices(rng.choice([requests.ALNUM, "0123456789"]), k=size))
        if rng.random() < 0.2:
            case.id = str(case.now + rng.randint(-400, 400))  # as a time that is exchanged for it
        text = case.body.decode(errors="replace")
        crypto = self.crypto(case)
        reply = crypto.encrypt_message(text, case.id, str(case.time))
        message = re.search(r"<Encrypt><!\[CDATA\[(.*?)\]\]>", reply)[1]
        assert self.tag_of(case, str(case.time), case.id, message) in reply
        # A URL has at most 64 KiB.
        if self.has_echo and len(message) < 10_000 and rng.random() < 0.15:
            case.method, case.body = "GET", b""
            case.target = f"/hook?echostr={quote(message, safe='')}"
            return
        case.target = "/hook" + rng.choice(["", "?a=1", "?openid=%C3%A9&a=%20+"])
        case.body = (reply if rng.random() < 0.3 else self.document(rng, message)).encode()

    def document(self, rng, message):
        """The elements that a server sends beside the message, in any order."""
        written = rng.choice([f"<![CDATA[{message}]]>", message])
        elements = [f"<Encrypt>{written}</Encrypt>"]
        if rng.random() < 0.8:
            elements.append(f"<ToUserName><![CDATA[{self.receiver}]]></ToUserName>")
        if rng.random() < 0.5:
            elements.append(f"<AgentID>{rng.randrange(10**6)}</AgentID>")
        if rng.random() < 0.2:
            text = re.sub("[<&\0-\x1f\ufffe\uffff]|]]>", "_", requests.text(rng, 5))
            elements.append(f"<Other>{text}</Other><Nothing/>")
        rng.shuffle(elements)
        blank = rng.choice(["", "\n", "\r\n  "])
        start = rng.choice(["", "", '<?xml version="1.0" encoding="UTF-8"?>\n'])
        return start + f"<xml>{blank}" + blank.join(elements) + f"{blank}</xml>" + blank

    def unsigned(self, case):
        return {"content-type": "text/xml"} if case.time % 3 else {}

    def message(self, case):
        if case.method == "GET":
            return self.parameters(case)["echostr"]
        return ElementTree.fromstring(case.body.decode()).find("Encrypt").text

    def tag_of(self, case, time, nonce, message):
        signer = WeChatSigner()
        signer.add_data(case.secret, time, nonce, message)
        return signer.signature

    def sign(self, rng, case):
        case.headers = self.unsigned(case)
        time = str(case.time)
        tag = self.tag_of(case, time, case.id, self.message(case))
        pairs = [("msg_signature", tag), ("timestamp", time), ("nonce", case.id), *self.mode]
        if rng:
            rng.shuffle(pairs)
        for name, value in pairs:
            self.put(case, name, value)

    def parameters(self, case):
        return dict(parse_qsl(urlsplit(case.target).query, keep_blank_values=True))

    def put(self, case, name, value):
        path, _, query = case.target.partition("?")
        pairs = [pair for pair in query.split("&") if pair and pair.partition("=")[0] != name]
        case.target = path + "?" + "&".join([*pairs, f"{name}={quote(value, safe='')}"])

    def written_signature(self, case):
        return self.parameters(case)["msg_signature"]

    def put_signature(self, case, text):
        self.put(case, "msg_signature", text)

    def drop_signature(self, case):
        case.target = case.target.replace("msg_signature=", "another=")

    def written_time(self, case):
        return self.parameters(case)["timestamp"]

    def put_time(self, case, text):
        self.put(case, "timestamp", text)

    def change(self, rng, case, how):
        if how == "nonce":
            self.put(case, "nonce", requests.other_char(rng, self.parameters(case)["nonce"]))
        elif how == "exchange":
            parameters = self.parameters(case)
            self.put(case, "timestamp", parameters["nonce"])
            self.put(case, "nonce", parameters["timestamp"])
        elif how == "ends":
            self.move_ends(rng, case)
        elif how == "twice":
            case.target += "&" + rng.choice(urlsplit(case.target).query.split("&"))
        elif how == "method":
            case.method = rng.choice(["PUT", "PATCH", "GET" if case.body else "POST"])
        elif how == "type":
            kinds = ["application/json", "application/x-www-form-urlencoded; a", "text/plain"]
            case.headers["content-type"] = rng.choice(kinds)
        else:
            places = [found.end() for found in re.finditer(b"<[a-zA-Z]+|>|<", case.body)] or [0]
            pieces = [" ", "\n", ' a="b"', "<!-- a -->", "&#97;", "<a>b</a>", "<a/>", "<b:a/>", "a"]
            pieces += ["<Encrypt>YQ==</Encrypt>", "<![CDATA[a]]>", "<![CDATA[]]>", "<?a b?>", "/"]
            at = rng.choice(places)
            case.body = case.body[:at] + rng.choice(pieces).encode() + case.body[at:]

    def move_ends(self, rng, case):
        """Gives the signed parts other ends in the same text."""
        parameters = self.parameters(case)
        parts = [parameters["timestamp"], parameters["nonce"], self.message(case)]
        text = "".join(sorted(parts))
        nonce = rng.choice([len(parts[1]), rng.randint(1, 32)])
        lengths = [len(parts[0]), nonce, len(text) - len(parts[0]) - nonce]
        new, message = list(parts), parts[2]
        for place in rng.sample(range(3), 3):
            new[place], text = text[: max(lengths[place], 0)], text[max(lengths[place], 0) :]
        self.put(case, "timestamp", new[0])
        self.put(case, "nonce", new[1])
        if case.method == "GET":
            self.put(case, "echostr", new[2])
        else:
            case.body = case.body.replace(message.encode(), new[2].encode())

    def verify(self, case):
        parameters, crypto = self.parameters(case), self.crypto(case)
        query = [parameters.get(name) for name in ("msg_signature", "timestamp", "nonce")]
        if self.has_echo and case.method == "GET":
            return crypto.check_signature(*query, parameters["echostr"]) is not None
        return crypto.decrypt_message(case.body.decode(), *query) is not None

    def accepts(self, case):
        # The SDK compares the text of the digits, and refuses a document that is not well-formed.
        case = copy.copy(case)
        names = [name for name, _ in parse_qsl(urlsplit(case.target).query)]
        parameters = self.parameters(case)
        time, nonce = parameters.get("timestamp", ""), parameters.get("nonce", "")
        is_time = re.fullmatch("[1-9][0-9]{9}", time) and abs(int(time) - case.now) <= 300
        is_nonce = re.fullmatch("[0-9A-Za-z]{1,32}", nonce)
        read = ["msg_signature", "timestamp", "nonce"]
        if self.has_echo and case.method == "GET":
            read.append("echostr")
            is_flat = not case.body
        else:
            kind = case.headers.get("content-type", "text/xml").partition(";")[0]
            is_xml = kind in ("text/xml", "application/xml")
            is_flat = case.method == "POST" and is_xml and is_flat_document(case.body)
        read += [name for name, _ in self.mode]
        is_mode = all(parameters.get(name) == value for name, value in self.mode)
        is_once = all(names.count(it) == 1 for it in read)
        if not (is_time and is_nonce and is_flat and is_mode and is_once):
            return False
        self.put_signature(case, parameters["msg_signature"].lower())
        return is_message(self.message(case)) and self.is_signed(case)

    def is_signed(self, case):
        try:
            self.verify(case)
        except InvalidSignatureException:
            return False
        except Exception:
            # The signature is valid, and the message cannot be decrypted. This crate only verifies.
            return True
        return True

    def deviations(self):
        crypto = self.sdk("token", self.encoding_key, self.receiver)

        def example(nonce="1", encrypted=None, offset=0):
            encrypted = encrypted or crypto.encrypt_message("text", nonce, "1")
            case = self.example(encrypted.encode(), offset, "token", target="/hook")
            case.id = nonce
            self.sign(None, case)
            return case

        def changed(before, after):
            case = example()
            assert before.encode() in case.body
            case.body = case.body.replace(before.encode(), after.encode(), 1)
            return case

        for why, offset in [("5 minutes ago", -301), ("5 minutes ahead", 301)]:
            yield f"{self.name}: a time more than {why}", example(offset=offset), False, True
        yield f"{self.name}: a nonce of 33 characters", example("1" * 33), False, True
        yield f"{self.name}: a hyphen in the nonce", example("1-2"), False, True
        for why, before, after in [
            ("an attribute", "<xml>", '<xml a="b">'),
            ("a comment", "<xml>", "<xml><!-- a -->"),
            ("an entity", "<TimeStamp>1", "<TimeStamp>&#49;"),
            ("an element in another", "<TimeStamp>1", "<TimeStamp><a/>1"),
            ("a text beside the elements", "<xml>", "<xml>a"),
            ("a prefix", "<xml>", "<xml><a:b/>"),
        ]:
            yield f"{self.name}: {why} in the body", changed(before, after), False, True
        before, after = "<xml>", '<?xml version="1.0" encoding="UTF-7"?><xml>'
        case = changed(before, after)
        yield f"{self.name}: a declaration of another encoding", case, False, True
        case = example()
        case.headers["content-type"] = "text/plain"
        yield f"{self.name}: a content type of text", case, False, True
        for name, value in self.mode:
            case = example()
            case.target = case.target.replace(f"{name}={value}", f"{name}=raw")
            yield f"{self.name}: {name}=raw", case, False, True
        case = example()
        case.headers["content-type"] = "application/json"
        yield f"{self.name}: a content type of JSON", case, False, True
        case = example()
        case.method = "PUT"
        yield f"{self.name}: another method", case, False, True
        case = example()
        case.target = case.target.replace("nonce=1", "nonce=2&nonce=1")
        yield f"{self.name}: a parameter twice, the right one last", case, False, True
        case = example()
        self.put_signature(case, self.written_signature(case).upper())
        yield f"{self.name}: hexadecimal in capitals: the same bytes", case, True, False


def is_message(text):
    """Returns whether a text is canonical base64 of whole blocks of the cipher."""
    try:
        blocks = base64.b64decode(text or "", validate=True)
    except ValueError:
        return False
    return bool(blocks) and len(blocks) % 16 == 0 and requests.b64(blocks) == text


def is_flat_document(body):
    """Returns whether all elements stand in the root and have no attributes, prefixes or text beside."""
    text = body.decode()
    if NO_FLAT_DOCUMENT.search(CDATA.sub("", text)) or NO_CHAR.search(text):
        return False
    if text.startswith("<?xml") and not DECLARATION.match(text):
        return False
    if text.startswith("\ufeff") or text.count("]]>") != text.count("<![CDATA["):
        return False
    # A prefix without its namespace is no error for the SDK.
    if re.search("<[^ <>!?]*:[^<]*>", CDATA.sub("", text)):
        return False
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return False
    names = [child.tag for child in root]
    if not all(NAME.fullmatch(name) for name in names):
        return False
    if [name for name in names if name.lower() == "encrypt"] != ["Encrypt"]:
        return False
    blank = [root.text, *(child.tail for child in root)]
    children = [len(child) or child.attrib for child in root]
    is_flat = not root.attrib and not any(children) and not any((it or "").strip() for it in blank)
    # A CDATA section beside the elements is text, too, even an empty one.
    element = re.compile(r"<(\w+)\s*>(?:[^<]|<!\[CDATA\[.*?\]\]>)*</\1\s*>", re.DOTALL)
    beside = element.sub("", text.partition("<xml")[2])
    return root.tag == "xml" and is_flat and "<![CDATA[" not in beside


class WeComCallback(Callback):
    name, has_echo, sdk = "wecom", True, wechatpy.enterprise.crypto.WeChatCrypto


class WeChatMessage(Callback):
    name, has_echo, sdk = "wechat", False, wechatpy.crypto.WeChatCrypto
    mode = [("encrypt_type", "aes")]


CALLBACKS = [WeComCallback(), WeChatMessage()]
