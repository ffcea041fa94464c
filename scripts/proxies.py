"""Counts the early answers of the layer that do not reach their sender, and the signed URLs that reach
it as they were signed; see scripts/proxies."""

import argparse
import functools
import importlib.metadata
import os
import platform
import random
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from proxies_requests import (
    DRAINED,
    GENUINE,
    KINDS,
    MISSING,
    TARGETS,
    by_curl,
    by_httpx,
    by_socket,
    by_waiting_socket,
    expecting,
    signed_url,
    sized,
)

SERVER = "assurance/target/release/early"
SIZES = [1_000, 16_000, 64_000, 300_000, 900_000, DRAINED]
# For a layer whose body limit is 25 MiB.
LARGE_SIZES = [5_000_000, 20_000_000]
# The time in which it drains a body. What takes longer is beyond its bounds.
DRAIN_SECONDS = 5
LATE = f" after {DRAIN_SECONDS} s"
IS_ROOT = os.geteuid() == 0


# Proxies: each function gives the configuration and the command, for a port and for the
# servers behind it.


def nginx(port, servers, settings="", keepalive="", to="", location="/"):
    temp = [f"{of}_temp_path {of};" for of in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    return f"""
        {"user root root;" if IS_ROOT else ""}
        daemon off; pid nginx.pid; error_log error.log;
        events {{}}
        http {{
          access_log off; client_max_body_size 0;
          {" ".join(temp)}
          upstream servers {{ {each("server {};", servers)} {keepalive} }}
          server {{
            listen 127.0.0.1:{port};
            location {location} {{ {settings} proxy_pass http://servers{to}; }}
          }}
        }}
        """, "nginx -p . -e error.log -c config"


def caddy(port, servers, settings=""):
    # One server alone is never taken out.
    passive = "{\nfail_duration 10s\n}" if len(servers) > 1 else ""
    return f"""
        {{
          admin off
          auto_https off
        }}
        http://:{port} {{
          bind 127.0.0.1
          {settings}
          reverse_proxy {each("{}", servers)} {passive}
        }}
        """, "caddy run --adapter caddyfile --config config"


def apache(port, servers, prefix="", keeps=""):
    modules = ["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_balancer"]
    modules += ["slotmem_shm", "lbmethod_byrequests"]
    load = "LoadModule {0}_module /usr/lib/apache2/modules/mod_{0}.so\n"
    target = each("http://{}", servers)
    balancer = ""
    if len(servers) > 1:
        target = "balancer://all"
        members = each("BalancerMember http://{}\n", servers)
        balancer = f"<Proxy {target}>\n{members}</Proxy>"
    return f"""
        {"".join(load.format(name) for name in modules)}
        {"User www-data" if IS_ROOT else ""}
        ServerName localhost
        Listen 127.0.0.1:{port}
        DefaultRuntimeDir .
        PidFile apache.pid
        ErrorLog error.log
        LimitRequestBody 0
        {"AllowEncodedSlashes NoDecode" if keeps else ""}
        {balancer}
        ProxyPass {prefix}/ {target}/ {keeps}
        """, "apache2 -d . -f config -DFOREGROUND"


def haproxy(port, servers, settings=""):
    observed = "check observe layer7 on-error mark-down" if len(servers) > 1 else ""
    return f"""
        defaults
          mode http
          timeout connect 5s
          timeout client 30s
          timeout server 30s
        listen proxy
          bind 127.0.0.1:{port}
          {settings}
          {each(f"server {{0}} {{0}} {observed}{chr(10)}", servers)}
        """, "haproxy -db -f config"


def each(template, servers):
    return " ".join(template.format(f"127.0.0.1:{server}") for server in servers)


PROXIES = {
    "nginx": nginx,
    "nginx unbuffered": functools.partial(
        nginx, settings="proxy_http_version 1.1; proxy_request_buffering off;"),
    "nginx keepalive": functools.partial(
        nginx, settings='proxy_http_version 1.1; proxy_set_header Connection "";',
        keepalive="keepalive 8;"),
    "Caddy": caddy,
    "Apache": apache,
    "HAProxy": haproxy,
}
# The prefix that the proxy takes off, and whether a URL keeps the bytes that were signed.
PREFIX = "/api"
URLS = {
    "nginx": (nginx, "", True),
    "nginx, `$uri`": (functools.partial(nginx, to="$uri$is_args$args"), "", False),
    "nginx, prefix off by `rewrite`": (
        functools.partial(nginx, location=f"{PREFIX}/", to="$uri", settings=(
            f"rewrite ^ $request_uri; rewrite ^{PREFIX}(/.*)$ $1 break; return 400;")),
        PREFIX, True),
    "nginx, prefix off by a path in `proxy_pass`": (
        functools.partial(nginx, location=f"{PREFIX}/", to="/"), PREFIX, False),
    "Apache, `nocanon`": (functools.partial(apache, keeps="nocanon"), "", True),
    "Apache, `nocanon`, prefix off": (
        functools.partial(apache, prefix=PREFIX, keeps="nocanon"), PREFIX, True),
    "Apache": (apache, "", False),
    "HAProxy": (haproxy, "", True),
    "HAProxy, prefix off": (
        functools.partial(haproxy, settings=f"http-request replace-path ^{PREFIX}(/.*) \\1"),
        PREFIX, True),
    "Caddy": (caddy, "", True),
    "Caddy, prefix off by `path_regexp`": (
        functools.partial(caddy, settings=f"uri path_regexp ^{PREFIX}/ /"), PREFIX, True),
    "Caddy, prefix off by `strip_prefix`": (
        functools.partial(caddy, settings=f"uri strip_prefix {PREFIX}"), PREFIX, False),
}
DIRECT = {
    "direct, writes all first": by_socket,
    "direct, curl": by_curl,
    "direct HTTP/2, curl": functools.partial(by_curl, version="--http2-prior-knowledge"),
    "direct HTTP/2, httpx": by_httpx,
}
ENTRANCES = {**dict.fromkeys(PROXIES, by_socket), **DIRECT}


class Processes:
    """Starts servers and proxies, and ends them."""

    def __init__(self, work, max_buf_size):
        self.work = work
        self.server = [SERVER, max_buf_size] if max_buf_size else [SERVER]

    @contextmanager
    def run(self, command, **settings):
        environment = {**os.environ, "HOME": str(self.work), "XDG_DATA_HOME": str(self.work)}
        process = subprocess.Popen(command, env=environment, **settings)
        # scripts/proxies ends the processes that have such a file.
        mark = self.work / f"{process.pid}.pid"
        mark.touch()
        try:
            yield process
        finally:
            process.terminate()
            process.wait()
            mark.unlink(missing_ok=True)

    @contextmanager
    def entrance(self, name, servers=1, configure=None):
        """The port of a proxy in front of new servers, or of a server."""
        configure = configure or PROXIES.get(name)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with ExitStack() as stack:
            started = [stack.enter_context(self.run(self.server, **pipes)) for _ in range(servers)]
            ports = [int(server.stdout.readline()) for server in started]
            if not configure:
                yield ports[0]
                return
            port = free_port()
            folder = self.work / str(port)
            folder.mkdir(exist_ok=True)
            config, command = configure(port, ports)
            (folder / "config").write_text(config.rstrip() + "\n")
            with (folder / "output").open("wb") as output:
                settings = {"cwd": folder, "stdout": output, "stderr": output}
                process = stack.enter_context(self.run(command.split(), **settings))
            await_port(process, port, folder)
            yield port
            if process.poll() is not None:
                print(f"{name} crashed: exit {process.returncode}", file=sys.stderr)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(process, port, folder):
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    sys.exit(f"{process.args[0]} does not start: {(folder / 'output').read_text()}")


# Parts


def row(*cells):
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def table(title, *columns):
    print(f"\n## {title}\n")
    row(*columns)
    row(*["---"] * len(columns))


def outcomes(counter):
    return ", ".join(f"{what} ×{count}" for what, count in counter.most_common())


def label(size):
    if size == 1 << 20:
        return "1 MiB"
    return f"{size // 1_000_000} MB" if size >= 1_000_000 else f"{size // 1000} kB"


def timed(send, port, sent):
    start = time.monotonic()
    outcome = send(port, sent)
    return outcome + (LATE if time.monotonic() - start > DRAIN_SECONDS else "")


def answers(processes, options):
    """Each kind of answer and size through each entrance: which answers are lost?"""
    columns = [*options.sizes, "controls"]
    table(f"Answers lost, of {options.rounds} rounds over {len(KINDS)} kinds",
          "entrance", *map(label, options.sizes), "controls")
    losses, arrived, is_any_lost = [], defaultdict(Counter), False
    for entrance in options.through or ENTRANCES:
        total, lost, of_kind, how = Counter(), Counter(), Counter(), Counter()
        with processes.entrance(entrance) as port:
            for size in options.sizes:
                kinds = [kind for kind in KINDS if kind.is_for_large or size <= DRAINED]
                sent = [sized(kind, size) for kind in kinds] * options.rounds
                send = functools.partial(timed, ENTRANCES[entrance], port)
                # Four large bodies at once would take longer than they may.
                with ThreadPoolExecutor(4 if size <= DRAINED else 1) as pool:
                    got = pool.map(send, sent)
                for kind, outcome in zip(sent, got):
                    column = "controls" if kind.is_control else size
                    total[column] += 1
                    if outcome.removesuffix(LATE) in kind.expected:
                        arrived[kind.name][outcome.removesuffix(LATE)] += 1
                        continue
                    lost[column] += not outcome.endswith(LATE)
                    of_kind[kind.name] += 1
                    how[outcome] += 1
        row(entrance, *(f"{lost[column]}/{total[column]}" for column in columns))
        is_any_lost |= lost.total() > 0
        if how:
            losses.append(f"- {entrance} ({outcomes(how)}): {outcomes(of_kind)}")
    print(f"\nLost (those{LATE} are not in the table):\n", *(losses or ["- none"]), sep="\n")
    print("\nAnswers that arrived:\n")
    print(*(f"- {name}: {outcomes(counter)}" for name, counter in arrived.items()), sep="\n")
    return is_any_lost


def flood(processes, entrance, stranger, rate, seconds):
    """Genuine deliveries beside unsigned bodies, at two servers: what each of them was answered."""
    rng = random.Random(0)
    due = [(n / 20, "genuine") for n in range(20 * seconds)]
    due += [((n + 0.5) / rate, "stranger") for n in range(rate * seconds)]
    got = {"genuine": [], "stranger": []}
    with processes.entrance(entrance, servers=2) as port, ThreadPoolExecutor(32) as pool:
        start = time.monotonic()
        for at, sender in sorted(due):
            sent = stranger
            if sender == "genuine":
                sent = sized(GENUINE, 1000 * rng.randint(1, 100))
            time.sleep(max(0, start + at - time.monotonic()))
            got[sender].append(pool.submit(by_socket, port, sent))
    return [Counter(one.result() for one in got[sender]) for sender in ("genuine", "stranger")]


def floods(processes, options):
    """Does a stranger keep genuine deliveries from two servers behind a proxy?"""
    table(f"Floods of unsigned bodies for {options.seconds} s, two servers",
          "entrance", "stranger", "genuine lost", "genuine", "stranger")
    is_any_lost = False
    for entrance in [name for name in PROXIES if name in (options.through or PROXIES)]:
        for size, rate in options.cases:
            unsigned = sized(MISSING, 1000 * size)
            strangers = [("", unsigned)]
            if options.expect:
                strangers = [(" with `Expect`", expecting(unsigned))]
            if options.plain:
                strangers.append((" to the plain handler", replace(unsigned, target="/plain")))
            for how, stranger in strangers:
                genuine, strange = flood(processes, entrance, stranger, rate, options.seconds)
                lost = genuine.total() - genuine["200 none"]
                is_any_lost |= lost > 0 and stranger.target != "/plain"
                row(entrance, f"{rate}/s of {size} kB{how}", f"{lost} of {genuine.total()}",
                    outcomes(genuine), outcomes(strange))
    return is_any_lost


def expect(processes, options):
    """What becomes of `Expect: 100-continue`."""
    through = options.through or ENTRANCES
    is_direct_late = False

    def ask(send, port, kind, size):
        sent = expecting(sized(kind, size))
        return Counter(send(port, sent) for _ in range(options.repeats))

    table(f"`Expect: 100-continue`, {options.repeats} clients that wait before they write 300 kB",
          "entrance", "without a signature", "genuine")
    for entrance in [name for name in through if ENTRANCES[name] is by_socket]:
        with processes.entrance(entrance) as port:
            missing, genuine = (ask(by_waiting_socket, port, kind, 300_000)
                                for kind in (MISSING, GENUINE))
        is_early = all(outcome.startswith("403 at once") for outcome in missing)
        is_direct_late |= entrance in DIRECT and not is_early
        row(entrance, outcomes(missing), outcomes(genuine))

    sizes = [size for size in options.sizes if size <= DRAINED]
    table(f"`Expect: 100-continue`, clients that do not wait: lost of {options.repeats}",
          "entrance", *map(label, sizes), "how")
    for entrance in [name for name in through if ENTRANCES[name] in (by_socket, by_httpx)]:
        with processes.entrance(entrance) as port:
            got = [ask(ENTRANCES[entrance], port, MISSING, size) for size in sizes]
        lost = [Counter({what: n for what, n in of_size.items() if what not in MISSING.expected})
                for of_size in got]
        row(entrance, *(of_size.total() for of_size in lost), outcomes(sum(lost, Counter())))
    return is_direct_late


def urls(processes, options):
    """Does a signed URL reach the layer as it was signed?"""
    providers = ["twilio", "square", "trello"]
    table(f"Signed URLs accepted, of {len(TARGETS)} each", "proxy", *providers, "refused")
    is_any_wrong = False
    for name, (configure, prefix, keeps) in URLS.items():
        refused = defaultdict(set)
        with processes.entrance(name, configure=configure) as port:
            for provider in providers:
                base = f"https://hooks.example.com{prefix}"
                for target in TARGETS:
                    outcome = by_socket(port, signed_url(provider, base, prefix, target))
                    if outcome != "200 none":
                        refused[provider].add(f"`{target}` {outcome}")
                # Nor is another base accepted.
                other = signed_url(provider, f"{base}/x", prefix, "/hook")
                other.headers[-1] = ("x-base", base)
                is_any_wrong |= by_socket(port, other) != "403 signature_mismatch"
        all_refused = sorted(set().union(*refused.values()))
        row(name, *(len(TARGETS) - len(refused[provider]) for provider in providers),
            ", ".join(all_refused) or "none")
        is_any_wrong |= bool(all_refused) == keeps
    return is_any_wrong


def print_versions():
    print(f"{os.cpu_count()} processors; load {os.getloadavg()[0]:.1f}; {platform.release()}\n")
    for command in ("nginx -v", "caddy version", "apache2 -v", "haproxy -v", "curl --version"):
        done = subprocess.run(command.split(), capture_output=True, text=True)
        line = (done.stdout + done.stderr).splitlines()[0]
        print(f"- {command.split()[0]}: {line}")
    print(f"- httpx: {importlib.metadata.version('httpx')}", flush=True)


def flood_case(text):
    size, rate = text.split(":")
    return int(size), int(rate)


def main():
    parts = {"answers": answers, "floods": floods, "expect": expect, "urls": urls}
    parser = argparse.ArgumentParser(prog="scripts/proxies", description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", metavar="part", help=f"of {', '.join(parts)}")
    add("--work", type=Path, required=True, help=argparse.SUPPRESS)
    add("--quick", action="store_true", help="fewer sizes, proxies and repeats: one minute")
    add("--through", action="append", choices=ENTRANCES, metavar="ENTRANCE",
        help=f"only this one; can be repeated: {'; '.join(ENTRANCES)}")
    add("--rounds", type=int, default=2, help="answers: of each kind and size")
    add("--seconds", type=int, default=30, help="floods: for each case")
    add("--cases", type=flood_case, nargs="+", default=[(20, 20), (100, 10), (300, 20), (900, 5)],
        metavar="KB:RATE", help="floods: size of unsigned bodies, and how many a second")
    add("--plain", action="store_true", help="floods: beside a handler that ignores the body")
    add("--expect", action="store_true",
        help="floods: unsigned bodies have `Expect: 100-continue` and do not wait for it")
    add("--repeats", type=int, default=10, help="expect: of each size")
    add("--max-buf-size", help="hyper's setting of that name")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(parts):
        parser.error(f"there is no part {', '.join(unknown)}")
    options.sizes = [*SIZES, *LARGE_SIZES]
    if options.quick:
        options.sizes, options.rounds, options.repeats = [16_000, 300_000, 900_000], 1, 2
        options.cases, options.seconds = [(300, 20)], 4
    print_versions()
    processes = Processes(options.work, options.max_buf_size)
    failed = [name for name, part in parts.items()
              if name in (options.parts or parts) and part(processes, options)]
    print(f"\nFailed: {', '.join(failed) or 'nothing'}.")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
