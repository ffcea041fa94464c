"""Compares the verdicts of test vectors with those of the vendors' validators; see
scripts/official-validators.

The verdict of a vector is the one that the suite asserts for this crate. A validator accepts what
it returns without an error, and what the vendor's sample checks after that.
"""

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import io
import json
import subprocess
import sys
import time
import unittest.mock
from datetime import datetime, timezone
from importlib.metadata import version
from types import SimpleNamespace

import google.oauth2.id_token
import jose.jwt
import jwt
import OpenSSL.crypto
import paypalrestsdk
import requests
import truelayer_signing
from appstoreserverlibrary.models.Environment import Environment
from appstoreserverlibrary.signed_data_verifier import SignedDataVerifier
from botbuilder.schema import Activity
from botframework.connector.auth import JwtTokenValidation, SimpleCredentialProvider
from botframework.connector.auth.jwt_token_extractor import JwtTokenExtractor
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from freezegun import freeze_time

DATA = "tests/data/"
NODE = "target/official-validators/node"
DIFFERENCES = "scripts/official_validators_differences.json"
# As in tests/it/fetched_keys/tokens.rs.
NOW = 1_700_000_000
BOT = "00000000-0000-4000-8000-000000000000"
CHAT = "chat@system.gserviceaccount.com"
PUSH = "push@made-up-project.iam.gserviceaccount.com"
VERDICT = {True: "accepts", False: "rejects"}


class Rejected(Exception):
    """A check of the vendor's sample failed."""


def check(is_right, why):
    if not is_right:
        raise Rejected(why)


def read(name):
    with open(DATA + name, encoding="utf-8") as file:
        return json.load(file)


def error_of(validate, seconds=NOW):
    """What a validator says against a request; None if it accepts it."""
    # One library prints its reason instead of raising it.
    output = io.StringIO()
    try:
        with freeze_time(datetime.fromtimestamp(seconds, timezone.utc)):
            with contextlib.redirect_stdout(output):
                validate()
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error} {output.getvalue()}".split())


def response(text):
    return SimpleNamespace(
        status=200, status_code=200, data=text.encode(), text=text,
        json=lambda: json.loads(text), raise_for_status=lambda: None,
    )


# Google


def certificates(document):
    """The keys in the form of Google's other URL: PEM by ID. Google's library takes a key for a
    certificate."""
    keys = [jwt.PyJWK(key) for key in json.loads(document)["keys"] if key["kty"] != "OKP"]
    form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    return json.dumps({key.key_id: key.key.public_bytes(*form).decode() for key in keys})


def bearer(vector):
    return vector["headers"]["authorization"].split(" ")[1]


def with_account(audience, email, is_verified=True):
    """Google's sample for Pub/Sub, and the one for Chat with a URL as the audience, which leaves
    `email_verified` out:
    https://docs.cloud.google.com/pubsub/docs/authenticate-push-subscriptions
    https://developers.google.com/workspace/chat/verify-requests-from-chat"""

    def validate(vector, keys):
        request = lambda url, method: response(keys)
        claims = google.oauth2.id_token.verify_oauth2_token(bearer(vector), request, audience)
        check(claims["email"] == email, "account")
        check(not is_verified or claims["email_verified"] is True, "account is not verified")

    return validate


def chat_project(vector, keys):
    """Google's sample for Chat with a project as the audience."""
    request = lambda url, method: response(keys)
    claims = google.oauth2.id_token.verify_token(bearer(vector), request, "1234567890")
    check(claims["iss"] == CHAT, "issuer")


# Plaid


def plaid(body, token, document):
    """Plaid's sample in Python, with its step for the algorithm:
    https://plaid.com/docs/api/webhooks/webhook-verification/"""
    header = jose.jwt.get_unverified_header(token)
    check(header["alg"] == "ES256", "algorithm")
    check(header["kid"], "no key ID")
    # The response of Plaid's API, whatever the ID: the suite's source of keys does the same.
    key = json.loads(document)["key"]
    check(key["expired_at"] is None, "expired key")
    claims = jose.jwt.decode(token, key, algorithms=["ES256"])
    check(claims["iat"] >= time.time() - 5 * 60, "too old")
    digest = hashlib.sha256(body.encode()).hexdigest()
    check(hmac.compare_digest(digest, claims["request_body_sha256"]), "body")


# Bot Framework


def bot_framework(vector, document):
    JwtTokenExtractor.metadataCache.clear()
    metadata = json.dumps({"jwks_uri": "https://keys.example.com"})
    get = lambda url: response(document if url == "https://keys.example.com" else metadata)
    activity = Activity().deserialize(json.loads(vector["body"]))
    header = vector["headers"]["authorization"]
    with unittest.mock.patch.object(requests, "get", get):
        asyncio.run(
            JwtTokenValidation.authenticate_request(
                activity, header, SimpleCredentialProvider(BOT, "")
            )
        )


# PayPal


def paypal(vector, body, webhook_id, seconds):
    event = paypalrestsdk.WebhookEvent
    store = event._get_certificate_store()
    # OpenSSL reads its own clock.
    store.set_time(datetime.fromtimestamp(seconds, timezone.utc))
    headers = vector["headers"]
    arguments = {
        "transmission_id": headers["PAYPAL-TRANSMISSION-ID"],
        "timestamp": headers["PAYPAL-TRANSMISSION-TIME"],
        "webhook_id": webhook_id,
        "event_body": body,
        "cert_url": headers["PAYPAL-CERT-URL"],
        "actual_sig": headers["PAYPAL-TRANSMISSION-SIG"],
        "auth_algo": headers["PAYPAL-AUTH-ALGO"],
    }
    get = lambda url: response(vector["certificate"])
    with unittest.mock.patch.object(requests, "get", get):
        with unittest.mock.patch.object(event, "_get_certificate_store", lambda: store):
            check(event.verify(**arguments), "verify returned False")


# Apple


def apple(body, environment, root):
    """Apple's library, and what it leaves to its user: the inner signatures."""
    der = x509.load_pem_x509_certificate(root.encode()).public_bytes(Encoding.DER)
    app = ("com.example.app", 1234) if environment == Environment.PRODUCTION else ("com.example.app",)
    verifier = SignedDataVerifier([der], False, environment, *app)
    # The made-up certificates lack the identifiers of keys, as those of the library's own tests do.
    verifier._chain_verifier.enable_strict_checks = False
    payload = verifier.verify_and_decode_notification(json.loads(body)["signedPayload"])
    for part in (payload.data, payload.appData):
        for name, verify in [
            ("signedTransactionInfo", verifier.verify_and_decode_signed_transaction),
            ("signedRenewalInfo", verifier.verify_and_decode_renewal_info),
            ("signedAppTransactionInfo", verifier.verify_and_decode_app_transaction),
        ]:
            if getattr(part, name, None) is not None:
                verify(getattr(part, name))


# TrueLayer


def truelayer(vector, document):
    """TrueLayer's library, and its sample of a server:
    https://github.com/TrueLayer/truelayer-signing/tree/main/python/examples/webhook-server"""
    signature = vector["headers"]["tl-signature"]
    header = truelayer_signing.extract_jws_header(signature)
    check(header.jku == "https://webhooks.truelayer.com/.well-known/jwks", "jku")
    verifier = truelayer_signing.verify_with_jwks(json.loads(document), header)
    verifier.set_method(truelayer_signing.HttpMethod[vector["method"]])
    verifier.set_path(vector["path"].split("?")[0])
    verifier.add_headers(vector["headers"])
    verifier.set_body(vector["body"])
    verifier.verify(signature)


# Runs: file, provider, validator, version, and (description, whether the crate accepts, error)


def run_sns():
    name, vectors = "amazon_sns.json", read("amazon_sns.json")
    command = ["node", "scripts/official_validators.js", NODE, DATA + name]
    errors = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    with open(f"{NODE}/node_modules/sns-validator/package.json", encoding="utf-8") as file:
        release = json.load(file)["version"]
    rows = [(v["description"], v["valid"], e) for v, e in zip(vectors, errors, strict=True)]
    return name, "amazon_sns", "sns-validator", release, rows


def run_tokens(provider, validator, package, validate, name="tokens.json"):
    data = read(name)
    rows = []
    for vector in data["vectors"]:
        if vector["provider"] != provider:
            continue
        document = data["documents"][vector["document"]]
        error = error_of(lambda: validate(vector, document))
        rows.append((vector["description"], vector["kind"] is None, error))
    return name, provider, validator, version(package), rows


def run_google():
    for provider, validate in [
        ("google_pub_sub", with_account("https://example.com/push", PUSH)),
        ("google_chat", with_account("https://example.com/chat", CHAT, is_verified=False)),
        ("google_chat_project", chat_project),
    ]:
        as_pem = lambda vector, document: validate(vector, certificates(document))
        yield run_tokens(provider, "google-auth, certificates", "google-auth", as_pem)
        yield run_tokens(provider, "google-auth, JWK Set", "google-auth", validate)


def run_plaid_delivery():
    """The verdicts are those of `genuine_delivery_of_plaid_is_accepted`."""
    vector = read("plaid.json")
    body, seconds = vector["body"], vector["seconds"]
    compact = json.dumps(json.loads(body), separators=(",", ":"))
    document = json.dumps({"key": vector["jwk"]})
    rows = []
    for description, text, now, expected in [
        ("a delivery of 2020", body, seconds, True),
        ("without its white space", compact, seconds, False),
        ("301 seconds later", body, seconds + 301, False),
    ]:
        validate = lambda: plaid(text, vector["headers"]["Plaid-Verification"], document)
        rows.append((description, expected, error_of(validate, now)))
    return "plaid.json", "plaid", "Plaid's sample, python-jose", version("python-jose"), rows


def run_paypal():
    """The verdicts are those of `genuine_delivery_of_paypal_is_accepted`."""
    vector = read("paypal.json")
    body, id, seconds = vector["body"], vector["webhook_id"], vector["seconds"]
    rows = []
    for description, text, webhook_id, now, expected in [
        ("a delivery of 2015", body, id, seconds, True),
        ("another body", body.replace("20.00", "21.00"), id, seconds, False),
        ("another webhook ID", body, "0JH86294D6297924G", seconds, False),
        ("after the certificate's end", body, id, 1_490_270_000, False),
    ]:
        error = error_of(lambda: paypal(vector, text, webhook_id, now), now)
        rows.append((description, expected, error))
    return "paypal.json", "paypal", "paypalrestsdk", version("paypalrestsdk"), rows


def run_apple():
    data, rows = read("apple_app_store.json"), []
    with open("src/providers/own/jwt/apple_root_ca_g3.pem", encoding="utf-8") as file:
        roots = {"root": data["root"], "apple": file.read()}
    for vector in data["vectors"]:
        environment = Environment(vector["environment"].capitalize())
        root = roots[vector["root"]]
        error = error_of(lambda: apple(vector["body"], environment, root))
        rows.append((vector["description"], vector["kind"] is None, error))
    name = "app-store-server-library"
    return "apple_app_store.json", "apple_app_store", name, version(name), rows


def runs():
    yield run_sns()
    yield from run_google()
    validate = lambda v, document: plaid(v["body"], v["headers"]["plaid-verification"], document)
    yield run_tokens("plaid", "Plaid's sample, python-jose", "python-jose", validate)
    yield run_plaid_delivery()
    name = "botframework-connector"
    yield run_tokens("bot_framework", name, name, bot_framework)
    yield run_paypal()
    yield run_apple()
    name = "truelayer-signing"
    yield run_tokens("truelayer", name, name, truelayer, "detached.json")


class Reasons:
    """The listed differences. Each must still exist."""

    def __init__(self):
        with open(DIFFERENCES, encoding="utf-8") as file:
            self.entries = json.load(file)
        self.used = set()

    def find(self, file, provider, validator, crate, description):
        for number, entry in enumerate(self.entries):
            is_it = (entry["file"], entry["validator"], entry["crate"]) == (file, validator, crate)
            if is_it and provider in entry["providers"] and description in entry["vectors"]:
                self.used.add((number, provider, description))
                return entry["reason"]

    def unused(self):
        for number, entry in enumerate(self.entries):
            for provider in entry["providers"]:
                for description in entry["vectors"]:
                    if (number, provider, description) not in self.used:
                        yield f"{entry['validator']}, {provider}: {description}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--verbose", action="store_true", help="each vector's verdicts")
    options = parser.parse_args()

    reasons, differences, failures = Reasons(), [], []
    print("| vectors | provider | validator | version | compared | agree | differ |")
    print("|---|---|---|---|---|---|---|")
    for file, provider, validator, release, rows in runs():
        # Nothing compared would be no difference, and all rejected no comparison.
        if not any(expected and error is None for _, expected, error in rows):
            failures.append(f"{validator}, {provider}: it accepts no authentic vector")
        agreed = 0
        for description, expected, error in rows:
            if options.verbose:
                print(f"  {provider}: {description}: {VERDICT[expected]}; {error}", file=sys.stderr)
            if expected == (error is None):
                agreed += 1
                continue
            crate = VERDICT[expected]
            reason = reasons.find(file, provider, validator, crate, description)
            differences.append((validator, provider, description, crate, reason or "NONE"))
            if reason is None:
                failures.append(
                    f"{validator}, {provider}: {description}: the crate {crate}, "
                    f"and the validator {VERDICT[error is None]} it: {error}"
                )
        counts = f"{len(rows)} | {agreed} | {len(rows) - agreed}"
        print(f"| {file} | {provider} | {validator} | {release} | {counts} |", flush=True)
    for is_laxer, title in [
        (True, "Accepted by this crate, rejected by the validator"),
        (False, "Rejected by this crate, accepted by the validator"),
    ]:
        print(f"\n{title}:\n\n| validator | provider | vector | reason |\n|---|---|---|---|")
        for validator, provider, description, crate, reason in differences:
            if (crate == "accepts") == is_laxer:
                print(f"| {validator} | {provider} | {description} | {reason} |")
    failures += [f"{name}: listed as a difference, and agrees" for name in reasons.unused()]
    print(f"\n{len(differences)} differences, {len(failures)} failures")
    for failure in failures:
        print(f"  {failure}", file=sys.stderr)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
