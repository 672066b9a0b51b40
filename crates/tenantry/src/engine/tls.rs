//! TLS for connections to databases: one shared configuration per kind, built once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::Tls;

type Kind = (&'static str, Option<Arc<str>>);
type Built = Mutex<HashMap<Kind, Arc<ClientConfig>>>;

static BUILT: OnceLock<Built> = OnceLock::new();

/// Returns the configuration for a kind of TLS; `None` where TLS is off. Reads the system's roots at
/// most once per process.
///
/// # Errors
/// The reason in words, if a certificate authority cannot be read.
pub(super) fn client_config(tls: &Tls) -> Result<Option<Arc<ClientConfig>>, String> {
    let key = match tls {
        Tls::VerifyFull { ca_pem } => ("verify-full", ca_pem.clone()),
        Tls::VerifyCa { ca_pem } => ("verify-ca", Some(Arc::clone(ca_pem))),
        Tls::Require => ("require", None),
        Tls::Disable => return Ok(None),
    };
    // A plain mutex: held for a look-up, or for the one build that the others would repeat.
    let mut built = BUILT
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(config) = built.get(&key) {
        return Ok(Some(Arc::clone(config)));
    }
    let config = Arc::new(build(tls)?);
    built.insert(key, Arc::clone(&config));
    Ok(Some(config))
}

fn build(tls: &Tls) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match tls {
        Tls::VerifyFull { ca_pem } => webpki(&provider, ca_pem.as_deref())?,
        Tls::VerifyCa { ca_pem } => Arc::new(AnyName {
            chain: Some(webpki(&provider, Some(ca_pem))?),
            provider: Arc::clone(&provider),
        }),
        Tls::Require | Tls::Disable => Arc::new(AnyName {
            chain: None,
            provider: Arc::clone(&provider),
        }),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

fn webpki(provider: &Arc<CryptoProvider>, ca_pem: Option<&str>) -> Result<Arc<WebPkiServerVerifier>, String> {
    let roots = Arc::new(roots(ca_pem)?);
    WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
        .build()
        .map_err(|error| error.to_string())
}

fn roots(ca_pem: Option<&str>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    if let Some(pem) = ca_pem {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|error| format!("the CA file is not PEM: {error}"))?;
            store
                .add(certificate)
                .map_err(|error| format!("the CA certificate is refused: {error}"))?;
        }
        if store.is_empty() {
            return Err("the CA file holds no certificate".to_owned());
        }
        return Ok(store);
    }
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        return Err("the system has no certificate authorities; give a CA file".to_owned());
    }
    Ok(store)
}

/// The host name does not count: `verify-ca`, and `require`, where nothing of the certificate does.
#[derive(Debug)]
struct AnyName {
    /// What the chain must lead to; `None` where any certificate will do.
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_configuration_serves_every_connection_of_a_kind() {
        let first = client_config(&Tls::Require).unwrap().unwrap();
        let second = client_config(&Tls::Require).unwrap().unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert!(client_config(&Tls::Disable).unwrap().is_none());
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        let refused = client_config(&Tls::VerifyFull {
            ca_pem: Some("nothing".into()),
        });
        assert_eq!(refused.unwrap_err(), "the CA file holds no certificate");
    }
}
