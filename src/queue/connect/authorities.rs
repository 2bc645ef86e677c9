//! Whose word is taken for it that a server is who it says.

use std::{fmt, io, sync::Arc};

use redis::{Client, ConnectionInfo, RedisError, RedisResult, TlsCertificates};
use tokio_rustls::rustls::{
    CertificateError, Error as TlsError, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// The certificates of those who sign for the servers (`GDPR_REDIS_CA`).
///
/// They are believed *instead of* the public authorities that are built in, not besides them: who has an authority of
/// their own for Redis means that one, and then no public authority can let anybody come between.
#[derive(Clone)]
pub struct Authorities(Arc<[u8]>);

/// What was given is no list of authorities. Shows nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuthorities {
    /// It cannot be read as PEM.
    #[error("a file that is not PEM")]
    NotPem,
    /// It has no certificate, but perhaps a key.
    #[error("a file without a certificate")]
    Empty,
    /// What stands there as a certificate is none.
    #[error("a file with a certificate that cannot be read")]
    Unreadable,
}

impl Authorities {
    /// Takes one certificate or more in PEM; anything else in the text is passed over.
    pub fn from_pem(pem: &[u8]) -> Result<Self, InvalidAuthorities> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| InvalidAuthorities::NotPem)?;
            store.add(certificate).map_err(|_| InvalidAuthorities::Unreadable)?;
        }
        if store.is_empty() {
            return Err(InvalidAuthorities::Empty);
        }
        Ok(Self(pem.into()))
    }

    pub(super) fn certificates(&self) -> TlsCertificates {
        TlsCertificates { client_tls: None, root_cert: Some(self.0.to_vec()) }
    }

    /// The same server, believed by these alone. It must be one that is reached with TLS.
    pub(super) fn vouch_for(&self, info: &ConnectionInfo) -> RedisResult<ConnectionInfo> {
        let client = Client::build_with_tls(info.clone(), self.certificates())?;
        Ok(client.get_connection_info().clone())
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorities")
    }
}

/// Why the certificate of a server was not believed, if that is what went wrong.
pub(super) fn distrust(error: &RedisError) -> Option<&'static str> {
    // redis-rs keeps what it was given behind an `Arc`, which is an error, too, and the first of the chain.
    type Shared = Arc<dyn std::error::Error + Send + Sync>;
    let shared = std::error::Error::source(error)?.downcast_ref::<Shared>()?;
    let fault = shared.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref::<TlsError>()?;
    let TlsError::InvalidCertificate(reason) = fault else { return None };
    Some(match reason {
        // Another authority of the same name has signed it, too.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "nobody who is believed has signed it"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its time has not begun"
        }
        _ => "it is not valid",
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use data_encoding::BASE64;

    use super::*;

    fn pem(kind: &str, der: &[u8]) -> String {
        format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", BASE64.encode(der))
    }

    #[test]
    fn authorities_are_one_certificate_or_more_and_nothing_else() {
        let signed = rcgen::generate_simple_self_signed(["redis".to_owned()]).unwrap();
        let certificate = pem("CERTIFICATE", signed.cert.der());
        let key = pem("PRIVATE KEY", &signed.signing_key.serialize_der());
        assert!(Authorities::from_pem(certificate.as_bytes()).is_ok());
        let several = format!("who signs for us\n{certificate}{key}{certificate}");
        assert!(Authorities::from_pem(several.as_bytes()).is_ok());
        for (text, why) in [
            ("", InvalidAuthorities::Empty),
            ("hello", InvalidAuthorities::Empty),
            (&key, InvalidAuthorities::Empty),
            (&certificate[..200], InvalidAuthorities::NotPem),
            (&certificate.replacen("MI", "??", 1), InvalidAuthorities::NotPem),
            (&pem("CERTIFICATE", b"no certificate"), InvalidAuthorities::Unreadable),
        ] {
            assert_eq!(Authorities::from_pem(text.as_bytes()).map(|_| ()), Err(why), "{text}");
        }
    }

    /// The story in tests/it shows it with a server; this shows at once if redis-rs wraps its errors otherwise.
    #[test]
    fn a_certificate_that_is_not_believed_is_told_from_other_failures() {
        let failed = |fault| RedisError::from(io::Error::new(io::ErrorKind::InvalidData, fault));
        let certificate = |reason| failed(TlsError::InvalidCertificate(reason));
        let unknown = certificate(CertificateError::UnknownIssuer);
        assert_eq!(distrust(&unknown), Some("nobody who is believed has signed it"));
        assert_eq!(distrust(&certificate(CertificateError::Expired)), Some("it has expired"));
        assert_eq!(distrust(&failed(TlsError::DecryptError)), None);
        assert_eq!(distrust(&RedisError::from(io::Error::from(io::ErrorKind::BrokenPipe))), None);
    }
}
