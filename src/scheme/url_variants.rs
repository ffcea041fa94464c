//! URLs that a provider may have signed, other than the configured one.

use http::{HeaderMap, request::Parts};

use crate::{
    outcome::{
        cause::Cause,
        explanation::Finding,
        redact::{
            percent,
            url::{is_host, signed_url},
        },
    },
    parse::{
        headers::{original_uri, text},
        url::{SplitUrl, split_port, split_query},
    },
};

/// Maximum number of URLs.
const MAX: usize = 160;

/// Maximum number of parameters whose orders are all tried.
const MAX_PERMUTED: usize = 4;

/// A part of a URL, and the cause if the part is another than the configured one.
type Part = (Option<Cause>, String);

/// A URL that a provider may have signed.
pub(crate) struct UrlVariant {
    /// A finding for each part that differs from the configured URL.
    pub(crate) findings: Vec<Finding>,
    pub(crate) text: String,
}

/// Returns the URLs that a provider may have signed for a request, likeliest first, with the
/// configured URL left out. If `is_hidden`, the findings show only the host.
///
/// A host is taken from the head even if no trusted proxy sent it: the signature decides.
pub(crate) fn url_variants(configured: &str, head: &Parts, is_hidden: bool) -> Vec<UrlVariant> {
    let url = Configured::of(configured);
    let parts = [url.hosts(head), url.schemes(), url.ports(&head.headers), url.paths(head)];
    let queries = url.queries(head);
    let mut variants: Vec<(Vec<Cause>, String)> = Vec::new();
    // URLs with one change come first, then those with two, and so on.
    for changes in 1..=4 {
        // Several changes at once rarely include the order of parameters.
        let queries = if changes == 1 { &*queries } else { queries.get(..3).unwrap_or(&queries) };
        each_combination(&parts, queries, &mut |parts| {
            let causes: Vec<_> = parts.iter().filter_map(|part| part.0).collect();
            if causes.len() == changes {
                let [host, scheme, port, path, query] = parts.map(|part| &*part.1);
                let text = [scheme, host, port, path, query].concat();
                if text != configured && !variants.iter().any(|(_, known)| *known == text) {
                    variants.push((causes, text));
                }
            }
            variants.len() < MAX
        });
    }
    let variant = |(causes, text): (Vec<Cause>, String)| {
        let detail = format!("the signed URL is {}", signed_url(&text, is_hidden));
        let finding = |cause| Finding::proven(cause).with_detail(detail.clone());
        UrlVariant { findings: causes.into_iter().map(finding).collect(), text }
    };
    variants.into_iter().map(variant).collect()
}

/// Calls `visit` with each combination of the parts, until it returns `false`.
fn each_combination(
    [hosts, schemes, ports, paths]: &[Vec<Part>; 4],
    queries: &[Part],
    visit: &mut dyn FnMut([&Part; 5]) -> bool,
) {
    for host in hosts {
        for scheme in schemes {
            for port in ports {
                for path in paths {
                    for query in queries {
                        if !visit([host, scheme, port, path, query]) {
                            return;
                        }
                    }
                }
            }
        }
    }
}

/// The configured URL.
struct Configured<'a> {
    url: SplitUrl<'a>,
    path: &'a str,
    /// With the question mark, or empty.
    query: &'a str,
}

impl<'a> Configured<'a> {
    fn of(url: &'a str) -> Self {
        let url = SplitUrl::of(url);
        let (path, query) = split_query(url.rest);
        Self { url, path, query }
    }

    fn schemes(&self) -> Vec<Part> {
        let all = ["https://", "http://", "wss://", "ws://"];
        let others = all.iter().filter(|other| !other.eq_ignore_ascii_case(self.url.scheme));
        let others = others.map(|other| (Some(Cause::UrlScheme), (*other).to_owned()));
        std::iter::once((None, self.url.scheme.to_owned())).chain(others).collect()
    }

    fn hosts(&self, head: &Parts) -> Vec<Part> {
        let text = |name| text(&head.headers, name);
        let first = |value: &str| value.split(',').next().unwrap_or_default().trim().to_owned();
        let forwarded = text("forwarded").and_then(|value| {
            let parts = value.split([';', ',']).map(str::trim);
            parts.filter_map(|part| part.split_once('=')).find_map(|(name, value)| {
                name.eq_ignore_ascii_case("host").then(|| value.trim_matches('"').to_owned())
            })
        });
        let named = ["x-forwarded-host", "host", "x-original-host", "x-forwarded-server"];
        let named = named.iter().filter_map(|name| text(name)).map(first);
        let authority = head.uri.authority().map(|it| it.as_str().to_owned());
        let SplitUrl { user, host: own, .. } = self.url;
        let www = match own.strip_prefix("www.") {
            Some(rest) => rest.to_owned(),
            None => format!("www.{own}"),
        };
        let others = named.chain(forwarded).chain(authority).filter(|host| is_host(host));
        let others = others.map(|host| split_port(&host).0.to_owned()).chain([www]);
        let without_user = (!user.is_empty()).then(|| own.to_owned());
        parts(&format!("{user}{own}"), others.chain(without_user), Cause::UrlHost)
    }

    fn ports(&self, headers: &HeaderMap) -> Vec<Part> {
        let text = |name| text(headers, name);
        let forwarded = text("x-forwarded-port").filter(|it| it.parse::<u16>().is_ok());
        let forwarded = forwarded.map(|port| format!(":{port}"));
        let of_hosts = ["x-forwarded-host", "host"].into_iter().filter_map(text);
        let of_hosts = of_hosts.map(|host| split_port(host).1.to_owned());
        let known = ["", ":443", ":80", ":8443", ":8080"].map(str::to_owned);
        let others = forwarded.into_iter().chain(of_hosts.filter(|port| !port.is_empty()));
        parts(self.url.port, others.chain(known), Cause::UrlPort)
    }

    fn paths(&self, head: &Parts) -> Vec<Part> {
        let own = self.path;
        let slash = match own.strip_suffix('/') {
            Some(rest) => rest.to_owned(),
            None => format!("{own}/"),
        };
        let slash = std::iter::once(slash);
        let mut all = parts(own, slash, Cause::UrlTrailingSlash);
        let prefix = text(&head.headers, "x-forwarded-prefix").map(|it| it.trim_end_matches('/'));
        let prefixed = prefix.filter(|it| it.starts_with('/')).map(|it| format!("{it}{own}"));
        let originals = originals(&head.headers)
            .map(|target| target.split('?').next().unwrap_or_default().to_owned());
        let received = [head.uri.path(), original_uri(head).path()].map(str::to_owned);
        let others = prefixed.into_iter().chain(originals).chain(received);
        let others = others.chain([own.to_ascii_lowercase()]);
        all.extend(parts(own, others, Cause::UrlPath).into_iter().skip(1));
        all
    }

    fn queries(&self, head: &Parts) -> Vec<Part> {
        let own = self.query.strip_prefix('?').unwrap_or_default();
        let received = [head.uri.query(), original_uri(head).query()];
        let originals =
            originals(&head.headers).filter_map(|target| Some(target.split_once('?')?.1));
        let received = received.into_iter().flatten().chain(originals).map(str::to_owned);
        let received: Vec<_> = received.collect();
        let mut others = received.clone();
        others.push(String::new());
        for query in std::iter::once(own).chain(received.iter().map(|it| &**it)) {
            others.extend(respelled(query));
            others.extend(reordered(query));
        }
        let others = others.into_iter().map(|query| match query.is_empty() {
            true => query,
            false => format!("?{query}"),
        });
        parts(self.query, others, Cause::UrlQuery)
    }
}

/// Returns the paths and queries that proxies note of the original URL.
fn originals(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let names = ["x-original-uri", "x-original-url", "x-rewrite-url", "x-forwarded-uri"];
    names.into_iter().filter_map(|name| text(headers, name)).filter_map(|uri| {
        let target = match uri.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..))?,
            None => uri,
        };
        target.starts_with('/').then_some(target)
    })
}

/// Returns the configured part and the others, each once.
fn parts(own: &str, others: impl Iterator<Item = String>, cause: Cause) -> Vec<Part> {
    let mut all: Vec<Part> = vec![(None, own.to_owned())];
    for other in others {
        if !all.iter().any(|(_, known)| *known == other) {
            all.push((Some(cause), other));
        }
    }
    all
}

/// Returns a query in the other spellings of its escapes.
fn respelled(query: &str) -> Vec<String> {
    let case = |upper: bool| {
        let mut escape = 0;
        let spell = |letter: char| {
            escape = if letter == '%' { 3 } else { escape - i32::from(escape > 0) };
            match (escape > 0, upper) {
                (true, true) => letter.to_ascii_uppercase(),
                (true, false) => letter.to_ascii_lowercase(),
                (false, _) => letter,
            }
        };
        query.chars().map(spell).collect::<String>()
    };
    let mut decoded = Vec::new();
    percent::decode(query.as_bytes(), &mut decoded);
    let mut all = vec![
        query.replace("%20", "+"),
        query.replace('+', "%20"),
        query.replace('\'', "%27"),
        query.replace("%27", "'"),
        case(true),
        case(false),
    ];
    all.extend(String::from_utf8(decoded));
    all
}

/// Returns a query in the other orders of its parameters: sorted, and all orders of a few.
fn reordered(query: &str) -> Vec<String> {
    let own: Vec<&str> = query.split('&').collect();
    let mut sorted = own.clone();
    sorted.sort_unstable();
    let mut all = vec![sorted];
    if own.len() <= MAX_PERMUTED {
        permute(&own, &mut Vec::new(), &mut all);
    } else {
        all.push(own.into_iter().rev().collect());
    }
    all.into_iter().map(|order| order.join("&")).collect()
}

fn permute<'a>(rest: &[&'a str], chosen: &mut Vec<&'a str>, all: &mut Vec<Vec<&'a str>>) {
    if rest.is_empty() {
        all.push(chosen.clone());
    }
    for (at, part) in rest.iter().enumerate() {
        let mut others = rest.to_vec();
        others.remove(at);
        chosen.push(part);
        permute(&others, chosen, all);
        chosen.pop();
    }
}
