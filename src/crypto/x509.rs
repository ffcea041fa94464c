//! X.509 certificates.

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::crypto::public_key::{PublicKey, pem};

/// Returns the public key of the certificate in this PEM block.
///
/// Nothing else about the certificate is checked.
pub(crate) fn key_of_pem(document: &[u8]) -> Option<PublicKey> {
    let der = CertificateDer::from(pem(str::from_utf8(document).ok()?, "CERTIFICATE")?);
    let certificate = EndEntityCert::try_from(&der).ok()?;
    PublicKey::spki(&certificate.subject_public_key_info()).ok()
}
