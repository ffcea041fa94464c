# The commands of a day's work, for https://just.systems. Each recipe calls an executable of this
# repository, which also runs without `just`.

# Lists the recipes.
default:
    @just --list

# Runs every check of the gate, in order.
ci:
    .ci/run

# Runs the test suite, and the tests against real servers.
test:
    .ci/tests

# Checks formatting, Clippy and the list of scripts.
lint:
    .ci/format
    .ci/clippy
    .ci/scripts

# Builds the documentation without warnings, also as docs.rs does.
docs:
    .ci/docs

# Writes the generated parts of the documentation.
pages:
    scripts/pages

# Writes the list of the public API.
api:
    scripts/public-api

# Runs Clippy with each feature alone, and with each beside the default ones.
features:
    .ci/features

# Checks the library and the examples with the minimum Rust version.
msrv:
    .ci/msrv --examples

# Checks the library with the lowest versions of its dependencies.
minimal-versions:
    .ci/minimal-versions

# Checks the library for other systems, and runs it on WebAssembly.
systems:
    .ci/wasm
    .ci/targets

# Checks that only allowed types of other crates are public.
external-types:
    .ci/external-types

# Compares the public API with the last release.
semver:
    .ci/semver

# Checks the advisories, licences and sources of dependencies.
deny:
    .ci/deny

# Looks for misspelled words.
typos:
    .ci/typos

# Runs all examples.
examples:
    .ci/examples

# Fuzzes each target for a number of executions: `just fuzz 1000000`.
fuzz runs="smoke":
    .ci/fuzz {{ runs }}

# Runs the benchmarks, or one of them: `just bench --bench layer`.
bench *options:
    cargo bench --locked --features delivery-log-sqlite {{ options }}

# Changes the code that differs from `main`, and fails where no test sees it.
mutants:
    scripts/mutants
