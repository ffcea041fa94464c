"""Compares this crate's verdicts with those of the vendors' SDKs; see scripts/differential.

Each provider has a peer: an SDK, or Python's hmac after the vendor's documentation. For each random
request: as signed by the peer it must be accepted; after one random change the verdict must be the
peer's, which is a refusal unless the change was none (`%2f` for `%2F`). Then this crate signs, and
the peer must accept.
"""

import argparse
import random
import subprocess
import sys
import time

from differential_bodies import BODIES
from differential_callbacks import CALLBACKS
from differential_hmac import HMACS
from differential_node import NODES
from differential_peers import SDKS
from differential_tokens import TOKENS
from differential_requests import POOL, change, request

BATCH = 500
DEVIATIONS = "stricter or laxer than the peer, by decision:"


class Crate:
    """The verifiers of this crate, in a process of their own."""

    def __init__(self):
        path = "target/assurance/release/differential"
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, what, cases):
        parts = [number(len(cases))]
        for provider, case in cases:
            fields = [what, provider, case.secret, case.origin, str(case.now)]
            fields += [case.method, case.target, case.body]
            fields += [part for header in case.headers.items() for part in header]
            parts.append(number(len(fields)))
            for field in fields:
                field = field.encode() if isinstance(field, str) else field
                parts += [number(len(field)), field]
        self.process.stdin.write(b"".join(parts))
        self.process.stdin.flush()
        return [self.record() for _ in cases]

    def record(self):
        return [self.read(self.number()) for _ in range(self.number())]

    def number(self):
        return int.from_bytes(self.read(4), "little")

    def read(self, length):
        data = self.process.stdout.read(length)
        if len(data) != length:
            sys.exit("the crate's process ended")
        return data


def number(value):
    return value.to_bytes(4, "little")


class Tally:
    def __init__(self, provider):
        self.provider = provider
        self.genuine = self.accepted = 0
        self.changed = self.refused = self.same = 0
        self.signed = self.taken = 0
        self.disagreements = []

    def disagree(self, how, case, answer):
        self.disagreements.append((how, case, answer))

    def row(self):
        return (
            f"| {self.provider} | {self.genuine:,} | {self.accepted:,} | {self.changed:,} "
            f"| {self.refused:,} | {self.same:,} | {self.taken:,} of {self.signed:,} "
            f"| {len(self.disagreements)} |"
        )


def verify(crate, peer, rng, count, tally):
    for start in range(0, count, BATCH):
        cases = []
        for _ in range(min(BATCH, count - start)):
            genuine = request(rng, peer)
            changed, how = change(rng, peer, genuine)
            cases += [(genuine, None), (changed, how)]
        answers = crate.ask("verify", [(peer.name, case) for case, _ in cases])
        for (case, how), answer in zip(cases, answers):
            is_accepted = answer[0] == b"ok"
            if how is None:
                tally.genuine += 1
                tally.accepted += is_accepted
                # The peer as a verifier must take what the peer signed, or this proves nothing.
                if not is_accepted or not peer.accepts(case):
                    tally.disagree("genuine", case, answer)
                continue
            tally.changed += 1
            expected = peer.accepts(case)
            tally.same += expected
            tally.refused += not is_accepted
            if is_accepted != expected:
                tally.disagree(how, case, answer)


def sign(crate, peer, rng, count, tally):
    for start in range(0, count, BATCH):
        cases = [request(rng, peer, signed=False) for _ in range(min(BATCH, count - start))]
        for case, answer in zip(cases, crate.ask("sign", [(peer.name, c) for c in cases])):
            tally.signed += 1
            if answer[0] == b"ok":
                case.target = answer[1].decode()
                case.body = answer[2]
                pairs = [part.decode("latin-1") for part in answer[3:]]
                case.headers = dict(zip(pairs[::2], pairs[1::2]))
            if answer[0] == b"ok" and peer.accepts(case):
                tally.taken += 1
            else:
                tally.disagree("signed by the crate", case, answer)


def deviations(crate, peer):
    """Known differences still are as they are listed."""
    rows, wrong = [], 0
    for why, case, expected, peers in peer.deviations():
        is_accepted = crate.ask("verify", [(peer.name, case)])[0][0] == b"ok"
        is_listed = (is_accepted, peer.says(case)) == (expected, peers)
        wrong += not is_listed
        say = {True: "accepts", False: "refuses"}
        rows.append(
            f"| {why} | {say[peers]} | {say[expected]} "
            f"| {'yes' if is_listed else 'NO'} |"
        )
    return rows, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cases", type=int, default=100_000, help="random requests a provider")
    parser.add_argument("--signed", type=int, default=5_000, help="signed by the crate")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("providers", nargs="*", help="all, unless some are named")
    options = parser.parse_args()

    crate, total, listed = Crate(), 0, []
    print(f"seed {options.seed}\n")
    print("| provider | genuine | accepted | changed | refused | no change after all "
          "| signed by the crate, accepted | disagreements |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    begin = time.monotonic()
    for peer in SDKS + TOKENS + BODIES + CALLBACKS + NODES + HMACS:
        if options.providers and peer.name not in options.providers:
            continue
        tally, rng = Tally(peer.name), random.Random(f"{options.seed} {peer.name}")
        POOL.clear()  # so that one provider alone repeats its part of a run
        verify(crate, peer, rng, options.cases, tally)
        sign(crate, peer, rng, options.signed, tally)
        print(tally.row(), flush=True)
        for how, case, answer in tally.disagreements[:5]:
            print(f"  {how}: {answer[0]!r}: {case}"[:2000], file=sys.stderr)
        rows, wrong = deviations(crate, peer)
        listed += rows
        total += len(tally.disagreements) + wrong
    print(f"\n{DEVIATIONS}\n\n| request | the peer | this crate | still so |")
    print("\n".join(["|---|---|---|---|", *listed]))
    print(f"\n{total} disagreements in {time.monotonic() - begin:.0f} s")
    sys.exit(bool(total))


if __name__ == "__main__":
    main()
