//! Dumps over TLS: read where the server's certificate is of an authority that is trusted, and else one sentence.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::skipped::skip;
use crate::support::ways::Scratch;
use crate::support::web::{Act, Web};
use crate::{bigkeys, complaint, text};

const DUMP: &str = "fixtures/shop_v10.rdb";

/// Runs a program whose word nobody needs while it succeeds; false where it is not there.
fn openssl(arguments: &[&str]) -> bool {
    let mut command = Command::new("openssl");
    let output = command.args(arguments).stdin(Stdio::null()).output();
    if let Ok(output) = &output {
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    }
    output.is_ok()
}

/// An authority, and the certificates that it gives to servers.
struct Authority {
    scratch: Scratch,
}

impl Authority {
    fn new(name: &str) -> Option<Self> {
        let authority = Self { scratch: Scratch::new() };
        let made = openssl(
            &[
                &["req", "-x509", "-subj", &format!("/CN={name}"), "-days", "2", "-nodes"][..],
                &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
                &["-keyout", &authority.name("ca.key"), "-out", &authority.name("ca.pem")],
            ]
            .concat(),
        );
        if !made {
            skip("no openssl to make a certificate with");
        }
        made.then_some(authority)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().expect("a path that is text").to_owned()
    }

    /// A server with a certificate for `localhost`, valid from and until these times (`YYMMDDHHMMSSZ`).
    fn server(&self, from: &str, until: &str) -> Web {
        self.scratch.write("index.txt", b"");
        let folder = self.name("");
        self.scratch.write(
            "ca.cnf",
            format!(
                "[ca]\ndefault_ca = own\n[own]\ndatabase = {folder}/index.txt\nnew_certs_dir = {folder}\ndefault_md = sha256\n\
                 policy = any\nrand_serial = yes\nx509_extensions = leaf\n[any]\ncommonName = supplied\n\
                 [leaf]\nsubjectAltName = DNS:localhost\nbasicConstraints = critical,CA:FALSE\n"
            )
            .as_bytes(),
        );
        assert!(openssl(
            &[
                &["req", "-new", "-subj", "/CN=localhost", "-nodes", "-newkey", "ec"][..],
                &["-pkeyopt", "ec_paramgen_curve:prime256v1"],
                &["-keyout", &self.name("key.pem"), "-out", &self.name("request.pem")],
            ]
            .concat()
        ));
        assert!(
            openssl(
                &[
                    &[
                        "ca",
                        "-batch",
                        "-notext",
                        "-config",
                        &self.name("ca.cnf"),
                        "-startdate",
                        from,
                        "-enddate",
                        until
                    ][..],
                    &["-cert", &self.name("ca.pem"), "-keyfile", &self.name("ca.key")],
                    &["-in", &self.name("request.pem"), "-out", &self.name("certificate.pem")],
                ]
                .concat()
            )
        );
        let certificate = CertificateDer::from_pem_file(self.path("certificate.pem")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(self.path("key.pem")).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a key of the certificate");
        let config = Arc::new(config);
        let wrap = move |stream| StreamOwned::new(ServerConnection::new(config.clone()).expect("a connection"), stream);
        let dump = Arc::new(fs::read(DUMP).expect("a fixture"));
        Web::wrapped(move |_| Some(dump.clone()), |_| Act::Dated, wrap)
    }
}

/// The rows of a dump, where the environment trusts these files of certificates.
fn rows(dump: &str, trusted: &[(&str, &Path)]) -> Output {
    let mut command = bigkeys(&["export", dump]);
    command.envs(trusted.iter().copied());
    if let Some(port) = dump.strip_prefix("s3://bucket/") {
        command.env("AWS_ENDPOINT_URL", format!("https://localhost:{port}"));
        command.env("AWS_ACCESS_KEY_ID", "A").env("AWS_SECRET_ACCESS_KEY", "S").env("AWS_REGION", "us-east-1");
    }
    command.output().expect("the program")
}

#[test]
fn a_dump_is_read_from_whom_the_environment_trusts() {
    let (Some(authority), Some(other), Some(namesake)) =
        (Authority::new("one"), Authority::new("another"), Authority::new("one"))
    else {
        return;
    };
    let (known, unknown) = (authority.path("ca.pem"), other.path("ca.pem"));
    let server = authority.server("200101000000Z", "491231235959Z");
    let url = format!("https://localhost:{}/a.rdb", server.port);
    let in_bucket = format!("s3://bucket/{}", server.port);
    let expected = rows(DUMP, &[]).stdout;
    assert!(!expected.is_empty());
    let (file, bundle) = ("SSL_CERT_FILE", "AWS_CA_BUNDLE");
    for dump in [&url, &in_bucket] {
        for trusted in [&[(file, &*known)][..], &[(bundle, &*known)], &[(file, &*unknown), (bundle, &*known)]] {
            let output = rows(dump, trusted);
            assert!(output.stdout == expected, "{dump} {trusted:?}: {}", text(&output.stderr));
        }
    }
    assert!(server.requests.lock().expect("a lock").iter().all(|request| request.range.is_some()));

    let refused = |dump: &str, trusted: &[(&str, &Path)], words: &str| {
        let output = rows(dump, trusted);
        let told = complaint(&output);
        assert!(output.status.code() == Some(2) && told.contains(words), "{dump} {trusted:?}: {told}");
    };
    let advice = "is not of an authority that this machine trusts: set SSL_CERT_FILE, or AWS_CA_BUNDLE, to a file";
    refused(&url, &[(file, &unknown)], advice);
    refused(&in_bucket, &[(file, &unknown)], advice);
    refused(&url, &[(file, &namesake.path("ca.pem"))], advice);
    let by_number = url.replace("localhost", "127.0.0.1");
    refused(&by_number, &[(file, &known)], "is for another host: use the name of the host that it is for");
    let nowhere = Path::new("/nowhere.pem");
    refused(&url, &[(bundle, nowhere)], "AWS_CA_BUNDLE names /nowhere.pem, which could not be read (No such file");
    refused(&in_bucket, &[(bundle, &fs::canonicalize(DUMP).expect("a fixture"))], "which has no certificate in it");
    refused(&url, &[(file, nowhere)], "no certificates of authorities were found");
}

#[test]
fn a_certificate_out_of_its_time_is_one_sentence() {
    let Some(authority) = Authority::new("one") else { return };
    let trusted = authority.path("ca.pem");
    for (from, until, words) in [
        ("200101000000Z", "210101000000Z", "expired at 2021-01-01T00:00:00Z: have it renewed, or set the clock"),
        ("480101000000Z", "490101000000Z", "is not valid before 2048-01-01T00:00:00Z: set the clock of this machine"),
    ] {
        let server = authority.server(from, until);
        let output = rows(&format!("https://localhost:{}/a.rdb", server.port), &[("SSL_CERT_FILE", &trusted)]);
        let told = complaint(&output);
        assert!(output.status.code() == Some(2) && told.contains(words), "{told}");
    }
}
