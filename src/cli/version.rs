//! `bigkeys --version`: which program this is.

use super::exit::{Exit, print};

/// What can be left out of a build, and whether it is in this one.
const FEATURES: [(&str, bool); 7] = [
    ("cli", cfg!(feature = "cli")),
    ("columnar", cfg!(feature = "columnar")),
    ("compress", cfg!(feature = "compress")),
    ("browse", cfg!(feature = "browse")),
    ("html", cfg!(feature = "html")),
    ("cloud", cfg!(feature = "cloud")),
    ("server", cfg!(feature = "server")),
];

pub(super) fn run(verbose: bool) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    if !verbose {
        return print(format!("bigkeys {version}\n").as_bytes());
    }
    let features: Vec<&str> = FEATURES.iter().filter(|(_, is_in)| *is_in).map(|(name, _)| *name).collect();
    let text = format!(
        "bigkeys {version}\ncommit: {}\ntarget: {}\nprofile: {}\nfeatures: {}\n",
        env!("BIGKEYS_COMMIT"),
        env!("BIGKEYS_TARGET"),
        env!("BIGKEYS_PROFILE"),
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
