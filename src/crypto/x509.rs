//! X.509 certificates.

use std::{sync::Arc, time::Duration};

use rustls_pki_types::{
    CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime, pem::PemObject,
};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert, aws_lc_rs as algorithms};
use x509_cert::{
    Certificate,
    der::{Decode, oid::ObjectIdentifier},
};

use crate::crypto::{pem::pem, public_key::PublicKey};

/// Maximum number of certificates in a chain, with its first one.
const MAX_CHAIN: usize = 8;

/// Signature algorithms of certificates: those of the authorities that browsers trust.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
];

/// Returns the public key of the certificate in this PEM block.
///
/// Nothing else about the certificate is checked.
pub(crate) fn key_of_pem(document: &[u8]) -> Option<PublicKey> {
    let der = CertificateDer::from(pem(str::from_utf8(document).ok()?, "CERTIFICATE")?);
    let certificate = EndEntityCert::try_from(&der).ok()?;
    PublicKey::spki(&certificate.subject_public_key_info()).ok()
}

/// Certificates that others must lead to. Their own dates do not count.
#[derive(Clone)]
pub(crate) struct Roots(Arc<[TrustAnchor<'static>]>);

impl Roots {
    /// Parses certificates, of which there must be one.
    pub(crate) fn from_pem(pem: &str) -> Option<Self> {
        let anchor = |der: Result<CertificateDer<'static>, _>| {
            Some(anchor_from_trusted_cert(&der.ok()?).ok()?.to_owned())
        };
        let anchors = CertificateDer::pem_slice_iter(pem.as_bytes()).map(anchor);
        let anchors: Arc<[_]> = anchors.collect::<Option<_>>()?;
        (!anchors.is_empty()).then_some(Self(anchors))
    }
}

/// Key of a certificate, and the time until which the certificate is valid.
pub(crate) struct Certified {
    pub(crate) key: PublicKey,
    /// Milliseconds since 1970.
    pub(crate) until: i64,
}

/// Reason for which a certificate is not trusted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Untrusted {
    /// It has expired.
    Expired,
    Because(&'static str),
}

/// Returns the key of the first certificate of a chain in PEM, if the chain leads to a root, all
/// certificates below the root are valid at this time, and the first one is for a host with an allowed
/// name.
///
/// `intermediates` are certificates of authorities that the chain may lack.
pub(crate) fn certified(
    document: &[u8],
    intermediates: &str,
    roots: Option<&Roots>,
    is_name: fn(&str) -> bool,
    now: i64,
) -> Result<Certified, Untrusted> {
    let because = Untrusted::Because;
    let chain = certificates(document).filter(|chain| (1..=MAX_CHAIN).contains(&chain.len()));
    let mut chain = chain.ok_or(because("it is not a chain of certificates in PEM"))?;
    let leaf = chain.remove(0);
    chain.extend(certificates(intermediates.as_bytes()).unwrap_or_default());
    let malformed = because("its first certificate is malformed");
    let Ok(leaf) = EndEntityCert::try_from(&leaf) else { return Err(malformed) };
    let roots = roots.map_or(webpki_roots::TLS_SERVER_ROOTS, |roots| &roots.0);
    let verify = |time: UnixTime| {
        let usage = KeyUsage::server_auth();
        leaf.verify_for_usage(ALGORITHMS, roots, &chain, time, usage, None, None).map(|_| ())
    };
    let now = UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(now).unwrap_or(0)));
    let end = UnixTime::since_unix_epoch(Duration::from_secs(END));
    // The library tells when a certificate has expired, and not when it will. It checks the first one
    // before the others.
    let leaf_ends = match verify(end) {
        Err(Error::CertExpired { not_after, .. }) => not_after,
        _ => end,
    };
    verify(now).map_err(|error| match error {
        Error::CertExpired { .. } if leaf_ends < now => Untrusted::Expired,
        Error::CertExpired { .. } => because("a certificate of its chain has expired"),
        Error::CertNotValidYet { .. } => because("a certificate is not valid yet"),
        Error::UnknownIssuer => because("its certificate does not lead to a trusted root"),
        _ => because("its chain of certificates is invalid"),
    })?;
    if !leaf.valid_dns_names().any(|name| is_name(&name.to_ascii_lowercase())) {
        return Err(because("its certificate is for another name"));
    }
    let mut until = leaf_ends;
    while let Err(Error::CertExpired { not_after, .. }) = verify(until)
        && not_after < until
    {
        until = not_after;
    }
    // Certificates with one name and different dates can hide an end.
    if until < now || verify(until).is_err() {
        until = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() + SHORT));
    }
    let key = PublicKey::spki(&leaf.subject_public_key_info()).map_err(|_| malformed)?;
    Ok(Certified { key, until: i64::try_from(until.as_secs()).unwrap_or(i64::MAX) * 1_000 })
}

/// Returns the key of a certificate in DER, if this authority has issued it, a root has issued that of
/// the authority, both are valid at this time, and each has its extension.
pub(crate) fn key_of_issued(
    leaf: &[u8],
    authority: &[u8],
    extensions: [ObjectIdentifier; 2],
    roots: &Roots,
    now: i64,
) -> Option<PublicKey> {
    let (leaf_der, chain) = (CertificateDer::from(leaf), [CertificateDer::from(authority)]);
    let certificate = EndEntityCert::try_from(&leaf_der).ok()?;
    let now = UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(now).ok()?));
    let usage = KeyUsage::server_auth();
    let path = certificate.verify_for_usage(ALGORITHMS, &roots.0, &chain, now, usage, None, None);
    // A root could have issued the first one, and the extension of the other would prove nothing.
    let is_between = path.ok()?.intermediate_certificates().count() == 1;
    let has_extensions =
        has_extension(leaf, extensions[0]) && has_extension(authority, extensions[1]);
    let key = PublicKey::spki(&certificate.subject_public_key_info()).ok()?;
    (is_between && has_extensions).then_some(key)
}

fn has_extension(certificate: &[u8], id: ObjectIdentifier) -> bool {
    Certificate::from_der(certificate).is_ok_and(|certificate| {
        let extensions = certificate.tbs_certificate().extensions();
        extensions.is_some_and(|all| all.iter().any(|extension| extension.extn_id == id))
    })
}

/// Time in seconds for which a key is used whose end is unknown.
const SHORT: u64 = 60 * 60;

/// 1 January 2100, in seconds: this crate accepts no later clock.
const END: u64 = 4_102_444_800;

fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()
}
