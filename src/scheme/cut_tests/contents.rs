//! Signed contents of custom schemes.

use crate::scheme::component::{Component, DigestEncoding};

const DOT: Component = Component::Literal(".");
const DATE: Component = Component::HttpDate("x-date");
const LINE: Component = Component::Literal("\n");
const HEADER: Component = Component::Header("x-nonce");
const RAW: Component = Component::BodySha256(DigestEncoding::Raw);
const HEX: Component = Component::BodySha256(DigestEncoding::Hex);
const SHA512: Component = Component::BodySha512(DigestEncoding::Base64);
pub(super) const CONTENTS: &[&[Component]] = &[
    &[Component::Url, Component::Body],
    &[Component::Body, Component::Url],
    &[Component::Url, DOT, Component::Body],
    &[Component::Body, DOT, Component::Url],
    &[Component::Method, Component::Body],
    &[Component::Method, DOT, Component::Body],
    &[Component::Body, Component::Method],
    &[Component::Method, Component::Url, Component::Body],
    &[Component::Method, Component::Url, Component::Literal("\n"), Component::Body],
    &[HEADER, Component::Body],
    &[Component::Body, HEADER],
    &[HEADER, DOT, Component::Body],
    &[Component::Body, DOT, HEADER],
    &[Component::Id, Component::Time, Component::Body],
    &[Component::Time, Component::Id, Component::Body],
    &[Component::Url, Component::Time, Component::Body],
    &[Component::Body, Component::Time, HEADER],
    &[Component::Body, DOT, Component::Time, HEADER],
    &[Component::Time, Component::Body],
    &[Component::Body, Component::Time],
    &[Component::Id, DOT, Component::Time, DOT, Component::Body],
    &[Component::Url, Component::Body, Component::Time],
    &[HEADER, Component::Body, Component::Id],
    &[Component::Url, Component::Body, HEADER],
    &[HEADER, Component::Body, Component::Time, Component::Id],
    &[DATE, Component::Body],
    &[Component::Body, DATE],
    &[HEADER, DATE, Component::Body],
    &[Component::Body, DATE, HEADER],
    &[DATE, Component::Body, Component::Time],
    &[DATE, Component::Body, DATE],
    &[Component::Path, Component::Body],
    &[Component::Body, Component::Path],
    &[Component::Path, DOT, Component::Body],
    &[Component::Query, DOT, Component::Body],
    &[Component::Body, DOT, Component::Query],
    &[Component::Host, LINE, Component::Body],
    &[Component::Host, Component::Body],
    &[Component::Path, Component::Literal("?"), Component::Query, LINE, Component::Body],
    &[Component::Method, LINE, Component::Host, LINE, Component::Path, LINE, Component::Body],
    &[Component::Query, Component::Time, Component::Body],
    &[Component::Path, Component::Body, Component::Host],
    &[Component::Time, DOT, RAW],
    &[SHA512, DOT, Component::Id, DOT, Component::Time],
    &[HEADER, RAW],
    &[RAW, HEADER],
    &[Component::Url, RAW, DOT, Component::Id],
    &[Component::Id, LINE, HEX, LINE, HEADER],
    &[HEADER, HEX, DOT, Component::Id],
    &[Component::Query, HEX, HEADER],
];
