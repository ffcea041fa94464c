//! Saved requests, as raw HTTP/1, as a `curl` line and as HAR.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header::HOST, uri::PathAndQuery};
use serde_json::Value;

use super::Result;

/// Request as it was saved.
#[derive(Default)]
pub(super) struct Saved {
    pub(super) method: Vec<u8>,
    pub(super) url: Vec<u8>,
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Saved {
    fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(header.as_bytes()))
    }

    pub(super) fn set_default(&mut self, header: &str, value: &str) {
        if !self.has(header) {
            self.headers.push((header.into(), value.into()));
        }
    }

    /// Returns the request as a server receives it: the target is a path, the host is a header.
    fn received(self) -> Result<Request<Bytes>> {
        let mut request = Request::new(Bytes::from(self.body));
        *request.method_mut() =
            Method::from_bytes(&self.method).map_err(|_| "the request method is invalid")?;
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name).map_err(|_| "a header has an invalid name")?;
            let value = HeaderValue::from_bytes(value)
                .map_err(|_| format!("the header `{name}` has a control character"))?;
            request.headers_mut().try_append(name, value)?;
        }
        let uri = Uri::try_from(&*self.url).map_err(|why| format!("the request URL: {why}"))?;
        let host = uri.authority().and_then(|authority| authority.as_str().rsplit('@').next());
        if let Some(host) = host.filter(|_| !request.headers().contains_key(HOST)) {
            request.headers_mut().try_append(HOST, HeaderValue::from_str(host)?)?;
        }
        *request.uri_mut() = uri.path_and_query().map_or("/", PathAndQuery::as_str).parse()?;
        Ok(request)
    }
}

/// Parses a saved request of any kind. The URL selects one of several in a HAR file.
pub(crate) fn parse(saved: &[u8], url: Option<&str>) -> Result<Request<Bytes>> {
    let saved = saved.strip_prefix(b"\xef\xbb\xbf").unwrap_or(saved).trim_ascii_start();
    let line = saved.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let command = saved.strip_prefix(b"$ ").unwrap_or(saved);
    let request = if saved.starts_with(b"{") {
        har(saved, url)?
    } else if command.starts_with(b"curl ") || command.starts_with(b"curl\t") {
        super::curl::parse(command)?
    } else if line.windows(6).any(|part| part == b" HTTP/") {
        raw(saved)?
    } else {
        Err("the saved request is neither raw HTTP/1 nor a `curl` line nor HAR")?
    };
    request.received()
}

/// Splits off the first line, without its line end.
fn line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = text.split_at_checked(text.iter().position(|byte| *byte == b'\n')?)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..)?))
}

/// Splits a header line into name and value.
pub(super) fn header(line: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut parts = line.splitn(2, |byte| *byte == b':');
    let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
        return Err("a header line has no colon".into());
    };
    Ok((name.to_vec(), value.trim_ascii().to_vec()))
}

fn raw(saved: &[u8]) -> Result<Saved> {
    const UNENDED: &str = "no blank line ends the head";
    let (first, mut rest) = line(saved).ok_or(UNENDED)?;
    let [method, url, _version] = first.split(|byte| *byte == b' ').collect::<Vec<_>>()[..] else {
        return Err("the request line is not like `POST /path HTTP/1.1`".into());
    };
    let mut request = Saved { method: method.to_vec(), url: url.to_vec(), ..Saved::default() };
    loop {
        let (line, after) = line(rest).ok_or(UNENDED)?;
        rest = after;
        if line.is_empty() {
            break;
        }
        request.headers.push(header(line)?);
    }
    let codings =
        request.headers.iter().filter(|it| it.0.eq_ignore_ascii_case(b"transfer-encoding"));
    let codings: Vec<_> = codings.map(|(_, coding)| coding.to_ascii_lowercase()).collect();
    request.body = match &codings[..] {
        [] => rest.to_vec(),
        [coding] if coding == b"chunked" => dechunked(rest).ok_or(
            "the body is not `chunked`; if it was saved decoded, remove `transfer-encoding`",
        )?,
        _ => Err("the body has a transfer coding other than `chunked`")?,
    };
    Ok(request)
}

/// Decodes a body in chunks. Extensions and trailers are ignored.
fn dechunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let (line, after) = line(rest)?;
        let size = line.split(|byte| *byte == b';').next()?.trim_ascii();
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let (chunk, after) = after.split_at_checked(size)?;
        body.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").or_else(|| after.strip_prefix(b"\n"))?;
    }
}

fn har(text: &[u8], url: Option<&str>) -> Result<Saved> {
    let har: Value =
        serde_json::from_slice(text).map_err(|why| format!("the HAR file is not JSON: {why}"))?;
    let entries = har["log"]["entries"].as_array().ok_or("the HAR file has no `log.entries`")?;
    let requests = || entries.iter().map(|entry| &entry["request"]);
    let has_url = |request: &&Value| url.is_some() && request["url"].as_str() == url;
    let has_body =
        |request: &&Value| request["postData"]["text"].as_str().is_some_and(|it| !it.is_empty());
    let request = requests().find(has_url).or_else(|| requests().find(has_body)).ok_or(
        "no request of the HAR file has a `postData.text`; --url selects one without a body",
    )?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut saved = Saved {
        method: text(&request["method"]).into(),
        url: text(&request["url"]).into(),
        ..Saved::default()
    };
    for header in request["headers"].as_array().into_iter().flatten() {
        let name = text(&header["name"]);
        // HTTP/2 has the URL and the method in headers of such names.
        if !name.starts_with(':') {
            saved.headers.push((name.into(), text(&header["value"]).trim().into()));
        }
    }
    let post = &request["postData"];
    saved.body = match post["encoding"].as_str() {
        None | Some("") => text(&post["text"]).into(),
        Some("base64") => STANDARD
            .decode(text(&post["text"]))
            .map_err(|why| format!("the body in the HAR file is not base64: {why}"))?,
        Some(_) => Err("the body in the HAR file has an encoding other than base64")?,
    };
    Ok(saved)
}
