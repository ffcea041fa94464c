//! Causes of rejections.

use std::fmt;

/// Declares [`Cause`]: its variants, and for each its name, its sentence and its fix.
macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $text:literal, $fix:literal;)*) => {
        /// Cause of a rejection.
        ///
        /// The [name](Self::as_str) is stable. The guide's page
        /// [troubleshooting](crate::guide::troubleshooting) has a section of that name for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Cause {
            $($(#[$doc])* $variant),*
        }

        impl Cause {
            /// All causes.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the stable name, such as `json_rewritten`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }

            /// Returns a sentence that describes the cause.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),*
                }
            }

            /// Returns the change that removes the cause.
            #[must_use]
            pub const fn fix(self) -> &'static str {
                match self {
                    $(Self::$variant => $fix),*
                }
            }

            /// Returns the anchor of the cause's section in the guide.
            #[must_use]
            pub const fn anchor(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("troubleshooting#", $name)),*
                }
            }
        }
    };
}

causes! {
    /// The signature has another algorithm.
    Algorithm = "algorithm",
        "the request is signed with another algorithm",
        "set the algorithm in the provider's console or the scheme, or accept the older signature";
    /// The body is base64.
    Base64Body = "base64_body",
        "a gateway encoded the body in base64",
        "turn off the base64 encoding in the gateway, or let its adapter decode the body before the layer";
    /// The body is empty, although the request declares one.
    BodyEmpty = "body_empty",
        "the body is empty, although the request declares one",
        "find the layer above that reads the body, and move it below";
    /// A byte order mark was added or removed.
    ByteOrderMark = "byte_order_mark",
        "a byte order mark was added to the body or removed from it",
        "make the component above the layer forward the bytes unchanged";
    /// Characters of the body were replaced.
    CharactersLost = "characters_lost",
        "the body has replacement characters, so it was probably decoded with the wrong character set",
        "make the component above the layer forward the bytes unchanged";
    /// The body was converted to another character set.
    Charset = "charset",
        "the body was converted from UTF-8 to another character set",
        "make the component above the layer forward the bytes unchanged";
    /// The body is compressed, or was decompressed.
    Compression = "compression",
        "the body was compressed or decompressed on its way",
        "put decompression below the layer, and turn off compression of requests in the proxy";
    /// A digest in the head differs from that of the body.
    DigestDiffers = "digest_differs",
        "the digest in the request is not that of the body, so the body was probably changed",
        "make the component above the layer forward the bytes unchanged";
    /// A line end at the end of the body was added or removed.
    FinalNewline = "final_newline",
        "a line end was added to the end of the body or removed from it",
        "make the component above the layer forward the bytes unchanged";
    /// The form in the body was written again.
    FormRewritten = "form_rewritten",
        "a component above the layer decoded the form and encoded it again",
        "make the component above the layer forward the bytes unchanged";
    /// The header of the signature is missing.
    HeaderMissing = "header_missing",
        "the signature header is missing",
        "set a secret in the provider's console, let the proxy forward the header, and guard this route alone";
    /// The header of the signature has another name.
    HeaderRenamed = "header_renamed",
        "the signature header arrived under another name",
        "let the proxy forward the header under its own name";
    /// The JSON was parsed and written again in another order or with other numbers.
    JsonReordered = "json_reordered",
        "the JSON was probably parsed and written again: its order or its numbers look changed",
        "make the component above the layer forward the bytes unchanged";
    /// The JSON was parsed and written again.
    JsonRewritten = "json_rewritten",
        "a component above the layer parsed the JSON and wrote it again",
        "make the proxy, tunnel or layer above forward the bytes unchanged";
    /// The body is the JSON string of the body.
    JsonStringBody = "json_string_body",
        "a component above the layer wrapped the body in a JSON string",
        "make the component above the layer forward the bytes unchanged";
    /// The request is signed with the secret of another key ID.
    KeyId = "key_id",
        "the request names another key ID than that of its secret, or an unknown one",
        "configure the secret under the key ID that the provider's console shows";
    /// The body has another length than the request declares.
    LengthDiffers = "length_differs",
        "the body is not as long as `content-length` says",
        "find the layer above that changes the body, and move it below";
    /// Line ends of the body were converted.
    LineEnds = "line_ends",
        "the line ends of the body were converted",
        "make the component above the layer forward the bytes unchanged";
    /// No change of the request or the configuration gives the signature.
    NothingMatches = "nothing_matches",
        "no known change of the request or the configuration fits the signature",
        "compare the secret with the one in the provider's console for this endpoint and mode";
    /// Another provider signed the request.
    OtherProvider = "other_provider",
        "the request is signed as another provider signs",
        "use the verifier of that provider for this route";
    /// The key is empty.
    SecretEmpty = "secret_empty",
        "the request is signed with an empty key, as anyone can",
        "set a secret in the provider's console";
    /// The secret is one that documentation publishes.
    SecretDocumented = "secret_documented",
        "the request is signed with a secret that documentation publishes, as anyone can",
        "set a secret of your own in the provider's console";
    /// The secret is a line of an environment file.
    SecretAssigned = "secret_assigned",
        "the configured secret begins with the name of a variable or of an authentication scheme",
        "configure only the part after the `=` or the blank";
    /// The key is derived from the secret in another way.
    SecretEncoding = "secret_encoding",
        "the provider derives its key from the secret in another way",
        "configure the secret exactly as the console shows it, or set the scheme's `SecretEncoding`";
    /// The secret of another endpoint, mode or tenant signed the request.
    SecretOfAnother = "secret_of_another",
        "the request is signed for another endpoint, mode or tenant",
        "configure the secret and the URL of this endpoint, or send the webhook to the other one";
    /// The secret looks like another credential.
    SecretOfOtherKind = "secret_of_other_kind",
        "the configured secret looks like another credential",
        "configure the signing secret of the webhook endpoint";
    /// White space surrounds the secret.
    SecretPadded = "secret_padded",
        "the secret has a blank or a line end too many or too few",
        "configure the secret exactly as the provider has it, or set it anew in the console";
    /// The secret has or lacks a prefix.
    SecretPrefix = "secret_prefix",
        "the secret has a prefix too many, or lacks one",
        "configure the secret exactly as the console shows it";
    /// Quotation marks surround the secret.
    SecretQuoted = "secret_quoted",
        "the secret has quotation marks on one side only: yours or the provider's",
        "remove the quotation marks on the side that the finding names";
    /// The signature has another encoding.
    SignatureEncoding = "signature_encoding",
        "the signature has another encoding",
        "set the scheme's encoding; with a provider's type, use that of this product";
    /// The signature has another format.
    SignatureFormat = "signature_format",
        "the signature header has another format",
        "set the scheme's signature format, and let the proxy forward the header unchanged";
    /// The signed content is another.
    SignedContent = "signed_content",
        "the provider signs other parts of the request",
        "set the version of the signature in the provider's console, or the scheme's signed content";
    /// The timestamp is too old or too new.
    TimeOutsideTolerance = "time_outside_tolerance",
        "the timestamp of the request is outside of the tolerance",
        "set the server's clock; if it is right, look for a queue above, or a repeated request";
    /// The provider has no public key with the ID that the request names.
    UnknownKey = "unknown_key",
        "the provider has no public key with the ID that the request names",
        "check the key source of the fetcher: production and sandbox have different keys";
    /// No tenant has the ID that the request names.
    UnknownTenant = "unknown_tenant",
        "no tenant has the ID that the request names",
        "configure the URL of this tenant in the provider's console, or add the tenant to the store";
    /// The host of the signed URL is another.
    UrlHost = "url_host",
        "the provider signed a URL with another host",
        "configure the URL that the provider's console shows";
    /// The path of the signed URL is another.
    UrlPath = "url_path",
        "the provider signed a URL with another path",
        "configure the URL that the console shows; include a prefix that the proxy or router strips";
    /// The port of the signed URL is another.
    UrlPort = "url_port",
        "the provider signed a URL with another port",
        "configure the URL that the provider's console shows";
    /// The query of the signed URL is another.
    UrlQuery = "url_query",
        "the provider signed a URL with another query",
        "let the proxy forward the query unchanged";
    /// The scheme of the signed URL is another.
    UrlScheme = "url_scheme",
        "the provider signed a URL with another scheme",
        "configure the URL that the console shows, with `https` if a proxy ends TLS";
    /// The signed URL ends with a slash, or does not.
    UrlTrailingSlash = "url_trailing_slash",
        "the signed URL and the configured one differ in the slash at the end of the path",
        "configure the URL exactly as the provider's console shows it";
    /// White space around the body was added or removed.
    WhiteSpace = "white_space",
        "white space around the body was added or removed",
        "make the component above the layer forward the bytes unchanged";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
