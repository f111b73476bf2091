//! SIGHUP: the configuration is read again, and puts other credentials, instances and limits in force. Requests that run keep
//! what they began with.

use std::sync::Arc;

use super::app::App;
use super::config::Config;
use super::notify::{monotonic_microseconds, notify};
use super::tls::TlsFiles;
use super::watch::refresh;

/// Reads the configuration again. One with mistakes changes nothing.
pub(super) fn reload(app: &Arc<App>, tls: Option<&TlsFiles>) {
    notify(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_microseconds()));
    let old = app.config();
    match Config::read(&old.path) {
        Err(mistakes) => {
            for mistake in mistakes.0 {
                tracing::error!(%mistake, "the configuration was not reloaded");
            }
        }
        Ok(mut new) => {
            for (setting, has_changed) in [
                ("store", new.store != old.store),
                ("tls", new.tls != old.tls),
                ("log", new.log != old.log),
                ("analysis", new.analysis != old.analysis),
            ] {
                if has_changed {
                    tracing::warn!(setting, "this setting takes effect at the next start");
                }
            }
            // The socket is open, and where it listens may have been said on the command line.
            new.listen = old.listen;
            if let Err(sentence) = new.check_listen() {
                tracing::error!(sentence, "the configuration was not reloaded");
            } else {
                warn(&new);
                tracing::info!(instances = new.instances.len(), "the configuration was reloaded");
                app.set_config(new);
            }
        }
    }
    if let Some(tls) = tls {
        refresh(tls);
    }
    notify("READY=1");
}

/// Says what looks like a mistake.
pub(super) fn warn(config: &Config) {
    for warning in config.warnings(&config.dumps()) {
        tracing::warn!(warning, "the configuration");
    }
}
