//! The authorities whose certificates are trusted besides the system's, by the name that AWS's tools use.

use std::{env, fs};

use object_store::{Certificate, ClientOptions};

use crate::input::failure::Failure;

/// The variable that names a file of certificates.
const VARIABLE: &str = "AWS_CA_BUNDLE";

/// Options that trust those authorities too.
///
/// # Errors
/// If the file that the variable names has no certificates.
pub(super) fn trusting(options: ClientOptions) -> Result<ClientOptions, Failure> {
    let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) else { return Ok(options) };
    let failed = |why: String| {
        let path = path.display();
        Failure::last(format!(
            "{VARIABLE} names {path}, which {why}: set it to a file of certificates in PEM, or unset it"
        ))
    };
    let text = fs::read(&path).map_err(|error| failed(format!("could not be read ({error})")))?;
    let certificates = Certificate::from_pem_bundle(&text).unwrap_or_default();
    if certificates.is_empty() {
        return Err(failed("has no certificate in it".to_owned()));
    }
    Ok(certificates.into_iter().fold(options, ClientOptions::with_root_certificate))
}
