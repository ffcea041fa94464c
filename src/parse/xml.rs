//! Strict reader of a flat XML document.

use quick_xml::{
    events::{BytesStart, Event},
    reader::Reader,
};

/// Problem with a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    Malformed,
    Missing,
    Repeated,
}

/// Returns the text of the only element with this name.
///
/// The document must be in UTF-8, and be a root element with elements of text in it. Parsers differ
/// on much of what else XML has, so comments, entities, attributes, further levels and other
/// encodings are rejected.
pub(crate) fn only(document: &[u8], root: &str, name: &str) -> Result<String, Flaw> {
    let text = std::str::from_utf8(document).map_err(|_| Flaw::Malformed)?;
    // What is no `Char` of XML 1.0: some parsers skip it, or read it as another encoding.
    let is_no_char = |char: char| {
        matches!(char, '\0'..' ' | '\u{fffe}' | '\u{ffff}') && !matches!(char, '\t' | '\n' | '\r')
    };
    // `]]>` outside of CDATA is an error for some parsers, so each must end a section.
    let has_stray_end = text.matches("]]>").count() != text.matches("<![CDATA[").count();
    if text.contains(is_no_char) || text.starts_with('\u{feff}') || has_stray_end {
        return Err(Flaw::Malformed);
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let (mut depth, mut is_inside, mut is_over, mut is_first) = (0_u8, false, false, true);
    let mut found: Option<String> = None;
    loop {
        match reader.read_event().map_err(|_| Flaw::Malformed)? {
            Event::Start(start) => {
                let element = plain_name(&start)?;
                match depth {
                    0 if !is_over && element == root => {}
                    1 if element == name => {
                        if found.replace(String::new()).is_some() {
                            return Err(Flaw::Repeated);
                        }
                        is_inside = true;
                    }
                    // Some parsers ignore the case of names.
                    1 if element.eq_ignore_ascii_case(name) => return Err(Flaw::Repeated),
                    1 => {}
                    _ => return Err(Flaw::Malformed),
                }
                depth += 1;
            }
            Event::End(_) => {
                depth = depth.checked_sub(1).ok_or(Flaw::Malformed)?;
                is_inside = false;
                is_over = depth == 0;
            }
            Event::Empty(start)
                if depth == 1 && !plain_name(&start)?.eq_ignore_ascii_case(name) => {}
            Event::Text(text) if depth < 2 && text.trim_ascii().is_empty() => {}
            Event::Text(text) if depth == 2 => keep(&mut found, is_inside, &text),
            Event::CData(text) if depth == 2 => keep(&mut found, is_inside, &text),
            Event::Decl(declaration) if is_first => check(&declaration)?,
            Event::Eof if is_over => return found.ok_or(Flaw::Missing),
            _ => return Err(Flaw::Malformed),
        }
        is_first = false;
    }
}

/// Rejects a declaration of another version than 1.0, or of another encoding than UTF-8, which some
/// parsers obey.
fn check(declaration: &str) -> Result<(), Flaw> {
    let text = declaration.replace('\'', "\"");
    let is_utf_8 = |part: &str| {
        part.strip_prefix("encoding=").is_some_and(|it| it.eq_ignore_ascii_case("\"utf-8\""))
    };
    let is_other =
        |part| is_utf_8(part) || matches!(part, "standalone=\"no\"" | "standalone=\"yes\"");
    let mut parts = text.split_ascii_whitespace().skip(1);
    let is_known = parts.next() == Some("version=\"1.0\"") && parts.all(is_other);
    if is_known { Ok(()) } else { Err(Flaw::Malformed) }
}

/// Returns the name of an element without attributes, of letters, digits and `_-.`, so without a
/// prefix.
fn plain_name<'a>(start: &'a BytesStart<'_>) -> Result<&'a str, Flaw> {
    let name = start.name().into_inner();
    let is_start = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let is_plain = name.as_bytes().first().is_some_and(is_start)
        && name.bytes().all(is_part)
        && start.attributes_raw().trim_ascii().is_empty();
    if is_plain { Ok(name) } else { Err(Flaw::Malformed) }
}

/// Adds a text to the element that is looked for.
fn keep(found: &mut Option<String>, is_inside: bool, text: &str) {
    if let Some(found) = found.as_mut().filter(|_| is_inside) {
        found.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_flat_document_is_read() {
        let read = |document: &str| only(document.as_bytes(), "xml", "E");
        for document in [
            "<xml><E>a</E></xml>",
            "<xml><E><![CDATA[a]]></E></xml>",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xml>\n <B/>\n<E >a</E >\n</xml>\n",
            "<xml><B><![CDATA[<E>b</E>]]></B><E>a</E><C>c</C></xml>",
            "<xml><B>\u{7f}\u{85}\u{9f}\u{fffd}\u{10ffff}</B><E>a</E></xml>",
        ] {
            assert_eq!(read(document), Ok("a".to_owned()), "{document}");
        }
        for (document, flaw) in [
            ("<xml></xml>", Flaw::Missing),
            ("<xml><B>a</B></xml>", Flaw::Missing),
            ("<xml><E>a</E><E>b</E></xml>", Flaw::Repeated),
            ("<xml><E>a</E><B/><E>a</E></xml>", Flaw::Repeated),
            ("<xml><e>a</e><E>a</E></xml>", Flaw::Repeated),
        ] {
            assert_eq!(read(document), Err(flaw), "{document}");
        }
    }

    #[test]
    fn other_documents_are_malformed() {
        for document in [
            "",
            "E",
            "<xml>",
            "<xml><E>a</xml>",
            "<xml><E>a</B></xml>",
            "<xml><E>a</E></xml><xml><E>b</E></xml>",
            "<xml><E>a</E></xml><E>b</E>",
            "<xml><E>a</E></xml>b",
            "<XML><E>a</E></XML>",
            "<other><E>a</E></other>",
            "<xml><E>a</E>b</xml>",
            "<xml><E>a</E><![CDATA[b]]></xml>",
            "<xml><E a=\"b\">a</E></xml>",
            "<xml a=\"b\"><E>a</E></xml>",
            "<xml xmlns=\"a\"><E>a</E></xml>",
            "<xml><a:E>b</a:E><E>a</E></xml>",
            "<xml><E/></xml>",
            "<xml><B a=\"b\"/><E>a</E></xml>",
            "<xml><E>a<!-- b --></E></xml>",
            "<xml><!-- <E>b</E> --><E>a</E></xml>",
            "<!-- a --><xml><E>a</E></xml>",
            "<xml><E>&#97;</E></xml>",
            "<xml><B>&b;</B><E>a</E></xml>",
            "<!DOCTYPE xml [<!ENTITY b \"c\">]><xml><E>a</E></xml>",
            "<xml><?b c?><E>a</E></xml>",
            "<xml><B><E>b</E></B><E>a</E></xml>",
            "<xml><E><B>b</B>a</E></xml>",
            "<xml><E>a</E></xml><?xml version=\"1.0\"?>",
            "<xml><?xml version=\"1.0\"?><E>a</E></xml>",
            "<xml><E><![CDATA[a</E></xml>",
            "<xml><E>a]]></E></xml>",
            "<xml><E>a</E><e/></xml>",
            "<xml><1>b</1><E>a</E></xml>",
            "<xml><a<E>b</a<E><E>a</E></xml>",
            "<xml><a/ ><E>a</E></xml>",
            "<xml><B>\0</B><E>a</E></xml>",
            "<?xml vErsion=\"1.0\"?><xml><E>a</E></xml>",
            "<?xml version=\"1.0\" Encoding=\"UTF-8\"?><xml><E>a</E></xml>",
            "<?xml version=\"1.0\" standalone=\"YES\"?><xml><E>a</E></xml>",
            "<xml><B>\u{1b}$B</B><E>a</E></xml>",
            "<xml><B>\u{1f}</B><E>a</E></xml>",
            "<xml><B>\u{fffe}</B><E>a</E></xml>",
            "<xml><B><![CDATA[\u{ffff}]]></B><E>a</E></xml>",
            "\u{feff}<xml><E>a</E></xml>",
            " <?xml version=\"1.0\"?><xml><E>a</E></xml>",
            "<?xml version=\"1.0\"?><?xml version=\"1.0\"?><xml><E>a</E></xml>",
            "<?xml version=\"1.1\"?><xml><E>a</E></xml>",
            "<?xml?><xml><E>a</E></xml>",
            "<?xml version=\"1.0\" encoding=\"UTF-7\"?><xml><E>a</E></xml>",
            "<?xml version=\"1.0\" encoding=\"ISO-2022-JP\"?><xml><E>a</E></xml>",
        ] {
            let read = only(document.as_bytes(), "xml", "E");
            assert_eq!(read, Err(Flaw::Malformed), "{document}");
        }
        assert_eq!(only(b"<xml><E>\xff</E></xml>", "xml", "E"), Err(Flaw::Malformed));
    }
}
