//! New tokens: the one for the client, and its hash for the configuration.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

use super::signature::hex_sha256;

/// Random bytes of a token.
const BYTES: usize = 32;

/// A token that nobody has guessed.
#[derive(Clone)]
pub struct NewToken {
    /// What the client sends in the header `X-Auth-Token`.
    pub token: String,
    /// What the configuration has of it as `token_sha256`.
    pub sha256: String,
}

impl std::fmt::Debug for NewToken {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewToken").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

impl NewToken {
    /// A token of 256 random bits.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; BYTES];
        SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system has no random numbers"))?;
        let token = URL_SAFE_NO_PAD.encode(bytes);
        let sha256 = hex_sha256(token.as_bytes());
        Ok(Self { token, sha256 })
    }
}
