//! Providers that accept any form of body.

use super::*;

#[test]
fn some_providers_take_any_body() {
    for scheme in [providers::Square::SCHEME, providers::Trello::SCHEME] {
        let verifier = |scheme: Scheme| {
            let url = PublicUrl::base(ORIGIN).unwrap();
            scheme.verifier_at(Secret::new("a secret").unwrap(), url).unwrap()
        };
        let url = "https://a.example/h";
        for (body, is_taken) in [
            ("{}", true),
            ("", true),
            ("h\u{e9}llo, \u{1f980} world!", true),
            ("a=1&b=2", true),
            ("hello {name} you", true),
            ("/h{}/h", false),
            ("h\n[1]\nh", false),
        ] {
            let verifier = verifier(scheme);
            let is_first = scheme.signed_content.first() == Some(&Component::Url);
            let content = if is_first { format!("{url}{body}") } else { format!("{body}{url}") };
            let tag = verifier.tag(content.as_bytes()).unwrap();
            let values = vec![(Component::Body, body.as_bytes()), (Component::Url, url.as_bytes())];
            let (head, body) = request(&scheme, &values, tag.as_bytes()).unwrap();
            assert_eq!(verify(&verifier, &head, &body).is_ok(), is_taken, "{content}");
        }
    }
}
