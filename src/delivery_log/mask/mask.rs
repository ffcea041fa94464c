//! Personal data and secrets, masked before a payload is kept.

/// Fields of chat messages that hold what people wrote, and who they are.
pub const MESSAGE_FIELDS: [&str; 12] = [
    "text",
    "caption",
    "contact",
    "contactArray",
    "jpegThumbnail",
    "filename",
    "matchedText",
    "title",
    "description",
    "topic",
    "pushName",
    "fullName",
];

/// Masks personal data and secrets in payloads, and in any text.
///
/// It masks rather too much than too little: a date with its hour has as many digits as a phone
/// number.
///
/// ```
/// use tower_webhook::delivery_log::Mask;
///
/// let mask = Mask::new().phone_numbers().emails().secrets();
/// assert_eq!(
///     mask.text("from +14155550100, a.b@example.com, token=abc&x=1"),
///     "from +141***, [REDACTED], token=[REDACTED]&x=1"
/// );
/// let mask = Mask::new().fields(["text"]);
/// assert_eq!(mask.apply(br#"{"a": [{"text": {"b": 1}}]}"#), br#"{"a": [{"text": "[REDACTED]"}]}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Mask {
    pub(crate) fields: Vec<String>,
    pub(crate) phone_numbers: bool,
    pub(crate) emails: bool,
    pub(crate) secrets: bool,
    pub(crate) card_numbers: bool,
}

impl Mask {
    /// Masks nothing.
    pub const fn new() -> Self {
        Self {
            fields: Vec::new(),
            phone_numbers: false,
            emails: false,
            secrets: false,
            card_numbers: false,
        }
    }

    /// Masks whatever is below these names in JSON, at any depth, in either case. A payload that
    /// is no JSON is then masked whole, because nothing in it can be found by name.
    pub fn fields<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.fields.extend(names.into_iter().map(|name| name.as_ref().to_lowercase()));
        self
    }

    /// Masks 10 to 15 digits, with `+`, blanks, points, hyphens and brackets, but for the first
    /// three. Numbers in JSON stay, because times look the same.
    pub fn phone_numbers(mut self) -> Self {
        self.phone_numbers = true;
        self
    }

    /// Masks e-mail addresses.
    pub fn emails(mut self) -> Self {
        self.emails = true;
        self
    }

    /// Masks the value in `name=value` where the name holds `token`, `secret`, `password` or
    /// `auth`.
    pub fn secrets(mut self) -> Self {
        self.secrets = true;
        self
    }

    /// Masks 13 to 19 digits that are a card number by their check digit.
    pub fn card_numbers(mut self) -> Self {
        self.card_numbers = true;
        self
    }
}
