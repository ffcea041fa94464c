"""Judges what memcheck said of assurance/src/bin/taint.rs; see scripts/timing.

The control must be reported. Of the verifiers, only the places where the verdict over all keys and
signatures becomes known may be: the answer tells that anyway. What is reported without any secret
marked (the baseline: a hash over padding in the crate `http`) counts for neither.
"""

import sys
import xml.etree.ElementTree as xml

# The functions that branch on a finished verdict, and the file.
VERDICTS = [
    ("mac.rs", "accepted"),
    ("shared_token.rs", "key_index"),  # has `accepted` inlined into it
    ("twilio.rs", "each_url"),  # whether any key signed this URL; which URL it is, is no secret
]

# The check of a secret before it becomes a key: whether it is another credential. It compares with
# public beginnings, and runs when a verifier is created.
START_UP = ("credentials.rs", "check")


def errors(path):
    """Each kind of error and its frames, innermost first."""
    for error in xml.parse(path).getroot().iter("error"):
        frames = error.find("stack").findall("frame")
        parts = [[frame.findtext(p, "") for p in ("fn", "file", "line")] for frame in frames]
        yield error.findtext("kind"), tuple(map(tuple, parts))


def is_at_start_up(frames):
    """Whether the check of a secret is among the callers."""
    return any(file == START_UP[0] and function.endswith(START_UP[1]) for function, file, _ in frames)


def is_authentication_failure(frames):
    """The jump itself, or one of the small functions of `core` that it is written with."""
    for function, file, _ in frames:
        plain = function if function.startswith("<") else function.partition("<")[0]
        if any(file == f and plain.endswith(name) for f, name in VERDICTS):
            return True
        if not function.startswith(("ok_or<", "then<")):
            return False
    return False


def main():
    paths = sys.argv[1:]
    baseline, control, verifiers = (list(errors(path)) for path in paths)
    # By the two innermost frames: the callers' lines differ.
    of_no_secret = {(kind, frames[:2]) for kind, frames in baseline}
    found = [(k, f) for k, f in verifiers if (k, f[:2]) not in of_no_secret]
    found = [(kind, frames) for kind, frames in found if not is_at_start_up(frames)]
    elsewhere = [(kind, frames) for kind, frames in found if not is_authentication_failure(frames)]
    at_verdict = len(found) - len(elsewhere)
    caught = any("control" in function for _, frames in control for function, _, _ in frames)
    print(f"control: {'reported' if caught else 'NOT REPORTED'}")
    print(f"verifiers: {len(elsewhere)} jumps or addresses of a secret before the verdict, "
          f"0 allowed; {at_verdict} call paths to the verdict itself; without secrets {len(baseline)}")
    for kind, frames in elsewhere:
        print(f"  {kind}")
        for function, file, line in frames[:6]:
            print(f"    {function} ({file}:{line})")
    if not at_verdict:
        print("  no verdict was seen: nothing was marked, or the names in VERDICTS are old")
    return bool(elsewhere) or not at_verdict or not caught


if __name__ == "__main__":
    sys.exit(main())
