"""The SDKs of senders that have one for Node only: differential_node.js calls them."""

import json
import subprocess

import differential_requests as requests
from differential_peers import Peer, base64_tag


class Node:
    """One process for all calls."""

    process = None

    @classmethod
    def call(cls, name, **fields):
        if cls.process is None:
            command = ["node", "scripts/differential_node.js", "target/differential/node"]
            cls.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        # Only ASCII, so that no character ends the line.
        cls.process.stdin.write(json.dumps({"call": name, **fields}).encode() + b"\n")
        cls.process.stdin.flush()
        line = cls.process.stdout.readline()
        if not line:
            raise SystemExit("the process of Node ended")
        answer = json.loads(line)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["value"]


def millis(rng, peer, case):
    """The time, with a fraction unless that would be too far ahead."""
    is_last = case.time >= case.now + peer.tolerance[1]
    return case.time * 1000 + (0 if is_last or not rng else rng.randrange(1000))


class Hygraph(Peer):
    """The environment is ASCII, as Node reads other bytes of a header as Latin-1."""

    name, header, is_timed = "hygraph", "gcms-signature", True
    tolerance = (86_400, 300)  # ours: the SDK checks no time

    def prepare(self, rng, case):
        # The SDK signs no body in place of an empty one: a deviation.
        case.body = case.body or b"{}"

    @staticmethod
    def tag(header):
        sign, comma, rest = header.partition(", ")
        tag, write = base64_tag(sign)
        return tag, lambda tag: write(tag) + comma + rest

    def environment(self, rng):
        # The SDK splits the header at a comma with a space.
        names = [requests.visible(rng) for _ in range(rng.choice([1, 1, 2]))]
        return " ".join(names).replace(", ", ",")

    def sign(self, rng, case):
        fields = {"secret": case.secret, "rawPayload": case.body.decode()}
        if rng and rng.random() < 0.7:
            fields["environmentName"] = self.environment(rng)
        now = millis(rng, self, case)
        case.headers = {self.header: Node.call("hygraph.sign", now=now, **fields)}

    def written_time(self, case):
        return case.headers[self.header].rpartition("t=")[2]

    def put_time(self, case, text):
        before, mark, _ = case.headers[self.header].rpartition("t=")
        case.headers[self.header] = before + mark + text

    def verify(self, case):
        fields = {"secret": case.secret, "rawPayload": case.body.decode()}
        signature = case.headers[self.header]
        return Node.call("hygraph.verify", now=case.now * 1000, signature=signature, **fields)

    def accepts(self, case):
        if not case.body or not self.says(case):
            return False
        age = case.now * 1000 - int(self.written_time(case))
        return -self.tolerance[1] * 1000 <= age <= self.tolerance[0] * 1000

    def deviations(self):
        yield "Hygraph: an empty body", self.example(b""), False, True
        yield "Hygraph: a time of two days ago", self.example(offset=-172_800), False, True
        case = self.example()
        case.headers[self.header] += "x"
        yield "Hygraph: a letter after the time", case, False, True
        case = self.example()
        case.headers[self.header] = case.headers[self.header].replace("t=", "t=0")
        yield "Hygraph: a zero before the time", case, False, True
        case = self.example()
        case.headers[self.header] = case.headers[self.header].replace("sign=", "").replace("t=", "")
        yield "Hygraph: parts without their names", case, False, True


class Contentful(Peer):
    name, header, is_timed, signs_url = "contentful", "x-contentful-signature", True, True
    time_header, list_header = "x-contentful-timestamp", "x-contentful-signed-headers"
    tolerance = (30, 300)
    more_changes = ("method", "header", "list", "unsigned")
    methods = ["GET", "PATCH", "HEAD", "POST", "DELETE", "OPTIONS", "PUT"]
    names = ["content-type", "x-contentful-topic", "x-contentful-name", "x-contentful-crn"]

    def secret(self, rng):
        # Of 64 characters, as the SDK counts them.
        ends = rng.choice(requests.ALNUM), rng.choice(requests.ALNUM)
        letters = requests.VISIBLE + (["é", "日", "\u202e"] if rng.random() < 0.3 else [])
        return ends[0] + "".join(rng.choices(letters, k=62)) + ends[1]

    def prepare(self, rng, case):
        # The SDK takes no time before 2020.
        later = 600_000_000 if case.time < 1_600_000_000 else 0
        case.now, case.time = case.now + later, case.time + later
        case.method = rng.choice([*self.methods, "POST", "POST"])
        if "?" not in case.target and rng.random() < 0.1:
            case.target += "?"
        # The SDK signs blank headers, and this crate refuses them by its rules.
        names = rng.choices(self.names, k=rng.randrange(5))
        names += [self.header_name(rng) for _ in range(rng.randrange(3))]
        case.headers = {name: self.header_value(rng) for name in names}
        # This crate signs the headers in a list, if there is one.
        if rng.random() < 0.5:
            listed = rng.sample(sorted(case.headers), rng.randint(0, len(case.headers)))
            case.listed = sorted({*listed, self.list_header, self.time_header})

    @staticmethod
    def header_name(rng):
        letters = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"
        return "x-" + "".join(rng.choices(letters, k=rng.randint(1, 12)))

    @staticmethod
    def header_value(rng):
        """ASCII, as Node reads other bytes as Latin-1."""
        return " ".join(requests.visible(rng) for _ in range(rng.choice([1, 1, 2])))

    def unsigned(self, case):
        listed = getattr(case, "listed", None)
        return {**case.headers, **({self.list_header: ",".join(listed)} if listed else {})}

    def call(self, name, case, now):
        request = {"method": case.method, "path": case.target, "body": case.body.decode()}
        request["headers"] = case.headers
        return Node.call(name, now=now, secret=case.secret, request=request)

    def sign(self, rng, case):
        fixed = [self.header, self.list_header, self.time_header, "user-agent"]
        given = {name: value for name, value in case.headers.items() if name not in fixed}
        case.headers = given
        signed = self.call("contentful.sign", case, millis(rng, self, case))
        case.headers = {**given, **signed, "user-agent": "unsigned"}

    def verify(self, case, second=0):
        return self.call("contentful.verify", case, (case.now - second) * 1000)

    def accepts(self, case):
        # The SDK takes any list that gives the same text, skips what is behind the time, has no
        # limit ahead, and takes no time of exactly 30 seconds ago.
        time = case.headers[self.time_header]
        names = case.headers.get(self.list_header, "").split(",")
        is_list = names == sorted(set(names)) and all(case.headers.get(name) for name in names)
        is_list = is_list and {self.list_header, self.time_header} <= set(names)
        if not is_list or not time.isdigit() or int(time) > (case.now + 300) * 1000:
            return False
        if int(time) == (case.now - 30) * 1000:
            return self.is_signed(case)
        return self.says(case)

    def is_signed(self, case):
        try:
            return self.verify(case, second=1)
        except Exception:  # as in `says`
            return False

    def change(self, rng, case, how):
        if how == "method":
            case.method = rng.choice([method for method in self.methods if method != case.method])
            return
        fixed = [self.header, self.list_header, self.time_header, "user-agent"]
        given = [name for name in case.headers if name not in fixed]
        name = {"list": self.list_header, "unsigned": "user-agent"}.get(how)
        name = name or rng.choice(given or [self.list_header])
        if how == "header" and rng.random() < 0.2:
            del case.headers[name]
        elif how == "list" and rng.random() < 0.5:
            case.headers[name] = self.other_list(rng, case.headers[name].split(","))
        else:
            case.headers[name] = requests.other_char(rng, case.headers[name])

    @staticmethod
    def other_list(rng, names):
        if rng.random() < 0.3:
            names.remove(rng.choice(names))
        else:
            more = rng.choice(["user-agent", "x-missing", names[0]])
            names.insert(rng.randrange(len(names) + 1), more)
        return ",".join(names)

    def deviations(self):
        url = {"secret": "s" * 64, "origin": "https://example.com", "target": "/x?a=1"}
        case = self.example(offset=301, **url)
        yield "Contentful: a time more than 5 minutes ahead", case, False, True
        case = self.example(offset=-30, **url)
        yield "Contentful: a time of exactly 30 seconds ago", case, True, False
        case = self.example(**url)
        case.target += "?b=2"
        yield "Contentful: a second `?`, which ends what is signed", case, False, True
        case = self.example(**url)
        case.headers[self.time_header] += "x"
        yield "Contentful: a letter after the time", case, False, True
        for why, names in [("itself", [self.time_header]), ("the time", [self.list_header])]:
            case = self.example(**url)
            case.headers[self.list_header] = ",".join(["missing", *names])
            yield f"Contentful: a list of signed headers without {why}", case, False, True
        case = self.example(**url)
        case.headers[self.list_header] += ",x-missing"
        yield "Contentful: a signed header that is missing", case, False, True
        case = self.example(headers={"x-a": ""}, **url)
        yield "Contentful: a blank signed header", case, False, True
        case = self.example(headers={"x-a": "1;x-contentful-signed-headers:x"}, **url)
        yield "Contentful: a header with the name of the list in its value", case, False, True
        case = self.example(**url)
        case.headers[self.header] = case.headers[self.header].upper()
        yield "Contentful: hexadecimal in capitals: the same bytes", case, True, False


NODES = [Hygraph(), Contentful()]
