//! Masks for personal data and secrets in payloads.

/// Fields of chat messages that hold the content of the message or identify people.
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

/// Mask for personal data and secrets in payloads, and in any text.
///
/// The mask covers too much rather than too little: a date with its hour has as many digits as a
/// phone number.
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
/// assert_eq!(
///     mask.apply(br#"{"a": [{"text": {"b": 1}}]}"#),
///     br#"{"a": [{"text": "[REDACTED]"}]}"#
/// );
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
    /// Creates a mask that masks nothing.
    pub const fn new() -> Self {
        Self {
            fields: Vec::new(),
            phone_numbers: false,
            emails: false,
            secrets: false,
            card_numbers: false,
        }
    }

    /// Masks every value below these names in JSON, at any depth, in upper or lower case.
    ///
    /// A payload that is not JSON is then masked as a whole, because no field can be found in it by
    /// name.
    pub fn fields<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.fields.extend(names.into_iter().map(|name| name.as_ref().to_lowercase()));
        self
    }

    /// Masks phone numbers: 10 to 15 digits, with `+`, spaces, dots, hyphens and parentheses. The
    /// first three digits stay.
    ///
    /// Numbers in JSON stay, because timestamps look the same.
    pub fn phone_numbers(mut self) -> Self {
        self.phone_numbers = true;
        self
    }

    /// Masks e-mail addresses.
    pub fn emails(mut self) -> Self {
        self.emails = true;
        self
    }

    /// Masks the value in `name=value` if the name contains `token`, `secret`, `password` or
    /// `auth`.
    pub fn secrets(mut self) -> Self {
        self.secrets = true;
        self
    }

    /// Masks card numbers: 13 to 19 digits with a valid check digit.
    pub fn card_numbers(mut self) -> Self {
        self.card_numbers = true;
        self
    }
}
