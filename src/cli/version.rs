//! `bigkeys --version`: which program this is.

use super::exit::{Exit, print};

/// What can be left out of a build, and whether it is in this one.
const FEATURES: [(&str, bool); 5] = [
    ("cli", cfg!(feature = "cli")),
    ("columnar", cfg!(feature = "columnar")),
    ("compress", cfg!(feature = "compress")),
    ("cloud", cfg!(feature = "cloud")),
    ("server", cfg!(feature = "server")),
];

pub(super) fn run(verbose: bool) -> Exit {
    let mut text = format!("bigkeys {}\n", env!("CARGO_PKG_VERSION"));
    if verbose {
        let features: Vec<&str> = FEATURES.iter().filter(|(_, is_in)| *is_in).map(|(name, _)| *name).collect();
        text += &format!("commit: {}\n", env!("BIGKEYS_COMMIT"));
        text += &format!("target: {}\n", env!("BIGKEYS_TARGET"));
        text += &format!("profile: {}\n", env!("BIGKEYS_PROFILE"));
        text += &format!("features: {}\n", features.join(", "));
    }
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
