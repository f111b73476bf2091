//! Who is logged in: sessions, of which the service keeps no more than the hash of each cookie.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::server::auth::Login;
use crate::server::signature::hex_sha256;
use crate::server::token::NewToken;

/// How long a session lasts.
pub(super) const LIFE: Duration = Duration::from_hours(12);

/// Sessions at once; one more ends the oldest.
const SESSIONS_MAX: usize = 1024;

/// All sessions, by the SHA-256 of their cookies.
#[derive(Debug, Default)]
pub(in crate::server) struct Sessions {
    sessions: Mutex<HashMap<String, Session>>,
    /// What stands for the session of all visitors where there are no credentials.
    open_csrf: Mutex<Option<String>>,
}

/// A session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) login: Login,
    /// What a form must have in it to change something.
    pub(super) csrf: String,
    began: Instant,
}

impl Sessions {
    /// Begins a session and returns its cookie.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn begin(&self, login: Login, now: Instant) -> io::Result<String> {
        let cookie = NewToken::random()?;
        let session = Session { login, csrf: NewToken::random()?.token, began: now };
        let mut sessions = self.lock();
        sessions.retain(|_, session| is_alive(session, now));
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.began).map(|(hash, _)| hash.clone());
            if let Some(oldest) = oldest {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(cookie.sha256, session);
        Ok(cookie.token)
    }

    /// The session of a cookie.
    pub(super) fn of(&self, cookie: &str, now: Instant) -> Option<Session> {
        self.lock().get(&hex_sha256(cookie.as_bytes())).filter(|session| is_alive(session, now)).cloned()
    }

    /// Ends the session of a cookie.
    pub(super) fn end(&self, cookie: &str) {
        self.lock().remove(&hex_sha256(cookie.as_bytes()));
    }

    /// What a form must have in it where there are no credentials: pages of other origins cannot read it.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn open_csrf(&self) -> io::Result<String> {
        let mut csrf = self.open_csrf.lock().unwrap_or_else(PoisonError::into_inner);
        match &*csrf {
            Some(csrf) => Ok(csrf.clone()),
            None => Ok(csrf.insert(NewToken::random()?.token).clone()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_alive(session: &Session, now: Instant) -> bool {
    now.saturating_duration_since(session.began) < LIFE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_bounded_in_number_and_time() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let login = || Login::by_token("t");
        let begin = |at| sessions.begin(login(), start + Duration::from_secs(at)).unwrap();
        let first = begin(0);
        let second = begin(1);
        assert!(sessions.of(&first, start).is_some() && sessions.of("another", start).is_none());
        assert!(!format!("{sessions:?}").contains(&first), "only its hash is kept");
        for at in 2..=SESSIONS_MAX as u64 {
            begin(at);
        }
        assert!(sessions.of(&first, start).is_none() && sessions.of(&second, start).is_some(), "the oldest went");
        assert!(sessions.of(&second, start + LIFE).is_some() && sessions.of(&second, start + 2 * LIFE).is_none());
        sessions.end(&second);
        assert!(sessions.of(&second, start).is_none());
    }
}
