//! Texts that are stored.

/// Maximum length of a text from the application, in bytes.
pub(crate) const MAX_TEXT: usize = 256;

/// Cleans a text from the application for storage, and truncates it to 256 bytes.
pub(crate) fn entry_text(text: &str) -> String {
    clean(text, MAX_TEXT)
}

/// Cleans a text for storage: replaces control characters and bidirectional formatting characters,
/// and truncates it. PostgreSQL accepts no NUL, and a tenant may come from a path.
pub(crate) fn clean(text: &str, most: usize) -> String {
    let is_unfit = |char: &char| {
        char.is_control()
            || matches!(char, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut clean = String::new();
    for char in text.chars() {
        let char = if is_unfit(&char) { char::REPLACEMENT_CHARACTER } else { char };
        if clean.len() + char.len_utf8() > most {
            break;
        }
        clean.push(char);
    }
    clean
}
