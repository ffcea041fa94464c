//! Signs a webhook as the named provider does, and posts it or prints a `curl` line that posts it.
//!
//! ```sh
//! echo '{"type":"charge.succeeded"}' |
//!     cargo run --example send --features sign -- stripe whsec_made_up http://127.0.0.1:3000/stripe
//! ```
//!
//! `--help` lists all options.

use std::{
    env,
    error::Error,
    fs,
    io::{IsTerminal, Read},
    process::ExitCode,
    time::SystemTime,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header::CONTENT_TYPE};
use tower_webhook::{
    PublicUrl, Secret, providers,
    sign::{Signing, signed},
};

const HELP: &str = "\
send [options] PROVIDER SECRET URL [FILE]

  PROVIDER            name, such as stripe, github or shopify; `send list` prints all names
  SECRET              secret as shown in the provider's console, or @FILE
  URL                 destination, such as http://127.0.0.1:3000/stripe
  FILE                body; default: standard input

  --content-type T    content type of the body; default: JSON, form or text, guessed from the body
  --header NAME:VALUE additional header; may be repeated
  --method M          request method; default: POST
  --public-url URL    signed URL before the path, if the server is behind a proxy
  --private-key FILE  private key in PEM, if SECRET is a public key (feature `asymmetric`)
  --curl              print the `curl` line, and post nothing
";

#[derive(Default)]
struct Options {
    positional: Vec<String>,
    content_type: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    method: Method,
    public_url: Option<String>,
    private_key: Option<String>,
    is_printed: bool,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options { method: Method::POST, ..Options::default() };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--content-type" => options.content_type = Some(value()?),
            "--header" => {
                let header = value()?;
                let (name, value) = header.split_once(':').ok_or("expected NAME:VALUE")?;
                options.headers.push((name.trim().parse()?, value.trim().parse()?));
            }
            "--method" => options.method = value()?.parse()?,
            "--public-url" => options.public_url = Some(value()?),
            "--private-key" => options.private_key = Some(value()?),
            "--curl" => options.is_printed = true,
            "-h" | "--help" => {
                print!("{HELP}");
                std::process::exit(0);
            }
            unknown if unknown.starts_with("--") => Err(format!("unknown option {unknown}"))?,
            _ => options.positional.push(argument),
        }
    }
    Ok(options)
}

fn read(path: &str) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|why| format!("{path}: {why}"))
}

/// Guesses the content type from the body.
fn content_type(body: &[u8]) -> &'static str {
    let is_form = |text: &str| text.contains('=') && !text.contains(char::is_whitespace);
    if serde_json::from_slice::<serde_json::Value>(body).is_ok() {
        "application/json"
    } else if std::str::from_utf8(body).is_ok_and(is_form) {
        "application/x-www-form-urlencoded"
    } else {
        "text/plain"
    }
}

fn request(options: &Options) -> Result<Request<Bytes>, Box<dyn Error>> {
    let (provider, secret, url, file) = match &*options.positional {
        [provider, secret, url] => (provider, secret, url, None),
        [provider, secret, url, file] => (provider, secret, url, Some(file)),
        _ => Err(HELP)?,
    };
    let body = match file {
        Some(path) => read(path)?,
        None => {
            if std::io::stdin().is_terminal() {
                eprintln!("reading the body from standard input; end it with Ctrl-D");
            }
            let mut body = Vec::new();
            std::io::stdin().read_to_end(&mut body)?;
            body
        }
    };
    let secret = match secret.strip_prefix('@') {
        Some(path) => Secret::new(String::from_utf8(read(path)?)?.trim())?,
        None => Secret::new(secret.as_str())?,
    };
    let uri: Uri =
        url.parse().map_err(|why| format!("{url}: {why}; expected http://… or https://…"))?;
    let origin = match (&options.public_url, uri.scheme_str(), uri.authority()) {
        (Some(url), _, Some(_)) => url.clone(),
        (None, Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => Err(format!("invalid URL {url}: expected http://… or https://…"))?,
    };
    let verifier = providers::by_name(provider)?.verifier_at(secret, PublicUrl::base(&origin)?)?;

    let mut request = Request::builder().method(options.method.clone()).uri(uri);
    let media_type = options.content_type.as_deref().unwrap_or_else(|| content_type(&body));
    request = request.header(CONTENT_TYPE, media_type);
    for (name, value) in &options.headers {
        request = request.header(name, value);
    }
    let request = request.body(body)?;
    let signing = Signing::at(SystemTime::now());
    #[cfg(feature = "asymmetric")]
    if let Some(path) = &options.private_key {
        let key = tower_webhook::sign::PrivateKey::from_pem(&String::from_utf8(read(path)?)?)?;
        return Ok(signed(&verifier, request, signing.private_key(&key))?);
    }
    if options.private_key.is_some() {
        Err("--private-key needs the feature `asymmetric`")?;
    }
    Ok(signed(&verifier, request, signing)?)
}

/// Quotes the text as one word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn curl(request: &Request<Bytes>) -> Result<String, Box<dyn Error>> {
    let url = quoted(&request.uri().to_string());
    // With `-g`, curl takes braces and brackets in the URL literally.
    let mut line = format!("curl -g -i -X {} {url}", request.method());
    for (name, value) in request.headers() {
        line += &format!(" -H {}", quoted(&format!("{name}: {}", value.to_str()?)));
    }
    let body = std::str::from_utf8(request.body())
        .map_err(|_| "the body is not UTF-8 and does not fit into a `curl` line; omit --curl")?;
    // `--data-raw` takes an `@` at the beginning literally, not as the name of a file.
    Ok(line + &format!(" --data-raw {}", quoted(body)))
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let options = options()?;
    if options.positional == ["list"] {
        providers::all().for_each(|provider| println!("{}", provider.name()));
        return Ok(ExitCode::SUCCESS);
    }
    let request = request(&options)?;
    if options.is_printed {
        println!("{}", curl(&request)?);
        return Ok(ExitCode::SUCCESS);
    }
    // Every status is a result, not an error.
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut response = agent.run(request.map(|body| body.to_vec()))?;
    println!("{}", response.status());
    println!("{}", response.body_mut().read_to_string()?);
    Ok(if response.status().is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn main() -> ExitCode {
    run().unwrap_or_else(|why| {
        eprintln!("{why}");
        let mut cause = why.source();
        while let Some(why) = cause {
            eprintln!("{why}");
            cause = why.source();
        }
        ExitCode::from(2)
    })
}
