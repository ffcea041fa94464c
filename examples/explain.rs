//! Explains why the signature of a saved request does not verify.
//!
//! ```sh
//! read -rs WEBHOOK_SECRET && export WEBHOOK_SECRET
//! cargo run --example explain --features explain,asymmetric -- github request.txt
//! ```
//!
//! The file has raw HTTP/1, a `curl` line or HAR. `--help` lists all options.

use std::{
    env,
    error::Error,
    ffi::OsString,
    fs,
    io::{self, BufRead, Write},
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tower_webhook::{
    PublicUrl, RejectionKind,
    explain::{Effort, Explainer, Explanation},
    providers::{self, BoxVerifier, Provider},
};

// The paths are also right in a test that includes this file.
#[path = "explain/curl.rs"]
mod curl;
#[path = "explain/saved.rs"]
pub(crate) mod saved;

const HELP: &str = "\
explain [options] PROVIDER FILE

  PROVIDER              name, such as stripe, github or shopify
  FILE                  saved request: raw HTTP/1, a `curl` line or HAR; - for standard input

  --url URL             public URL that the provider signs; if it has no path, that of the request
                        follows; selects the request of a HAR file
  --json                print JSON
  --now SECONDS         Unix time of the verification; default: the system's time
  --also NAME=VARIABLE  another secret that may have signed, such as that of test mode, from this
                        environment variable; may be repeated

The environment variable WEBHOOK_SECRET has the secret, or several on one line each. If it is not
set, you are asked for the secret.

The exit code is 0 if the request is accepted, 1 if it is rejected, 2 if the options or the file
cannot be read.
";

const SECRET: &str = "WEBHOOK_SECRET";

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// Reads a variable of the environment.
type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

#[derive(Default)]
struct Options {
    positional: Vec<String>,
    url: Option<String>,
    is_json: bool,
    now: Option<SystemTime>,
    also: Vec<(String, String)>,
}

fn options(arguments: &[String]) -> Result<Options> {
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--url" => options.url = Some(value()?.clone()),
            "--json" => options.is_json = true,
            "--now" => {
                let time = value()?.parse().ok().map(Duration::from_secs);
                let time = time.and_then(|time| UNIX_EPOCH.checked_add(time));
                options.now = Some(time.ok_or("--now needs Unix seconds, such as 1700000000")?);
            }
            "--also" => {
                let also = value()?.rsplit_once('=').ok_or("--also needs NAME=VARIABLE")?;
                options.also.push((also.0.to_owned(), also.1.to_owned()));
            }
            unknown if unknown.starts_with('-') && unknown != "-" => {
                // The value could be a secret.
                let name = unknown.split('=').next().unwrap_or_default();
                Err(format!("unknown option {name}; --help lists the options"))?;
            }
            _ => options.positional.push(argument.clone()),
        }
    }
    Ok(options)
}

/// Returns one secret for each line. A public key in PEM has several lines.
fn secrets(text: &str) -> Vec<String> {
    let mut secrets = Vec::<String>::new();
    let mut is_in_key = false;
    for line in text.lines() {
        match secrets.last_mut() {
            Some(key) if is_in_key => *key += &format!("\n{line}"),
            _ if line.is_empty() => {}
            _ => secrets.push(line.to_owned()),
        }
        is_in_key = line.starts_with("-----BEGIN") || is_in_key && !line.starts_with("-----END");
    }
    secrets
}

fn verifier(provider: &Provider, url: Option<&str>, secret: OsString) -> Result<BoxVerifier> {
    let secrets = secrets(&secret.into_string().map_err(|_| "the secret is not UTF-8")?);
    let has_path = |url: &str| url.split_once("://").is_some_and(|url| url.1.contains(['/', '?']));
    Ok(match url {
        Some(url) if has_path(url) => provider.verifier_at(secrets, PublicUrl::fixed(url)?)?,
        Some(url) => provider.verifier_at(secrets, PublicUrl::base(url)?)?,
        None => provider.verifier(secrets)?,
    })
}

fn as_json(explanation: &Explanation) -> Value {
    let findings = explanation.findings().iter().map(|finding| {
        json!({
            "cause": finding.cause().as_str(),
            "strength": finding.strength().as_str(),
            "detail": finding.detail(),
            "description": finding.cause().description(),
            "fix": finding.cause().fix(),
            "guide": finding.cause().anchor(),
        })
    });
    json!({
        "provider": explanation.provider(),
        "reason": explanation.rejection().map(RejectionKind::as_str),
        "accepted": explanation.rejection().is_none(),
        "complete": explanation.is_complete(),
        "tried": explanation.tried(),
        "hashed": explanation.hashed(),
        "findings": findings.collect::<Vec<_>>(),
    })
}

fn run(
    arguments: &[String],
    variables: Variables<'_>,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    errors: &mut dyn Write,
) -> Result<u8> {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        output.write_all(HELP.as_bytes())?;
        return Ok(0);
    }
    let options = options(arguments)?;
    let [provider, file] = &*options.positional else {
        return Err("expected a provider and a file; --help lists the options".into());
    };
    let (provider, url) = (providers::by_name(provider)?, options.url.as_deref());
    if provider.needs_url() && url.is_none() {
        Err(format!("{} signs the URL; pass the public one with --url", provider.name()))?;
    }
    let mut saved = Vec::new();
    if file == "-" {
        input.read_to_end(&mut saved)?;
    } else {
        saved = fs::read(file).map_err(|why| format!("{file}: {why}"))?;
    }
    let (head, body) =
        saved::parse(&saved, url).map_err(|why| format!("{file}: {why}"))?.into_parts();
    let secret = match variables(SECRET) {
        Some(secret) => secret,
        None if file == "-" => Err(format!("{SECRET} is not set, and the input is the request"))?,
        None => {
            write!(errors, "secret of {}, shown as you type: ", provider.title())?;
            errors.flush()?;
            let mut secret = String::new();
            input.read_line(&mut secret)?;
            secret.into()
        }
    };
    let own = verifier(&provider, url, secret)?;
    // Nobody waits for the response to this request.
    let mut effort = Effort::DEFAULT;
    (effort.max_hashed, effort.max_variants) = (4 << 30, 100_000);
    effort.max_time = Duration::from_secs(10);
    let mut explainer = Explainer::new().effort(effort);
    if let Some(now) = options.now {
        explainer = explainer.clock(now);
    }
    for (name, variable) in &options.also {
        let secret = variables(variable).ok_or_else(|| format!("{variable} is not set"))?;
        let other = verifier(&provider, url, secret).map_err(|why| format!("{name}: {why}"))?;
        explainer = explainer.also(name.as_str(), other);
    }
    let explanation = explainer.explain(&own, &head, &body);
    if options.is_json {
        writeln!(output, "{}", as_json(&explanation))?;
    } else {
        writeln!(output, "{explanation}")?;
    }
    Ok(u8::from(explanation.rejection().is_some()))
}

/// Runs the program with these inputs and outputs, and returns its exit code.
pub(crate) fn program(
    arguments: &[String],
    variables: Variables<'_>,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    errors: &mut dyn Write,
) -> u8 {
    run(arguments, variables, input, output, errors).unwrap_or_else(|why| {
        // Nobody is left to read of a failure to write.
        let _ = writeln!(errors, "{why}");
        2
    })
}

fn main() -> ExitCode {
    let arguments: Vec<_> =
        env::args_os().skip(1).map(|it| it.to_string_lossy().into_owned()).collect();
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let code = program(
        &arguments,
        &|name| env::var_os(name),
        &mut input,
        &mut output,
        &mut io::stderr().lock(),
    );
    ExitCode::from(code)
}
