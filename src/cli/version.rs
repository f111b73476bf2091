//! `bigkeys --version`: which program this is.

use serde::Serialize;

use super::exit::{Exit, print};

/// What can be left out of a build, and whether it is in this one.
const FEATURES: [(&str, bool); 8] = [
    ("cli", cfg!(feature = "cli")),
    ("columnar", cfg!(feature = "columnar")),
    ("compress", cfg!(feature = "compress")),
    ("browse", cfg!(feature = "browse")),
    ("html", cfg!(feature = "html")),
    ("cloud", cfg!(feature = "cloud")),
    ("server", cfg!(feature = "server")),
    ("console", cfg!(feature = "console")),
];

/// What this build is.
#[derive(Serialize)]
pub(super) struct Build {
    version: &'static str,
    commit: &'static str,
    target: &'static str,
    profile: &'static str,
    features: Vec<&'static str>,
}

pub(super) fn build() -> Build {
    Build {
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("BIGKEYS_COMMIT"),
        target: env!("BIGKEYS_TARGET"),
        profile: env!("BIGKEYS_PROFILE"),
        features: FEATURES.iter().filter(|(_, is_in)| *is_in).map(|(name, _)| *name).collect(),
    }
}

pub(super) fn run(verbose: bool) -> Exit {
    let Build { version, commit, target, profile, features } = build();
    if !verbose {
        return print(format!("bigkeys {version}\n").as_bytes());
    }
    let text = format!(
        "bigkeys {version}\ncommit: {commit}\ntarget: {target}\nprofile: {profile}\nfeatures: {}\n",
        features.join(", ")
    );
    print(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_told() {
        let manifest = include_str!("../../Cargo.toml");
        let (_, from) = manifest.split_once("[features]\n").expect("features");
        let (features, _) = from.split_once("\n[").expect("what follows");
        let named = features
            .lines()
            .filter(|line| !line.starts_with([' ', '#', ']']))
            .filter_map(|line| line.split_once(" = "));
        let named: Vec<&str> =
            named.map(|(name, _)| name).filter(|name| *name != "default" && *name != "store").collect();
        assert_eq!(named, FEATURES.map(|(name, _)| name));
    }
}
