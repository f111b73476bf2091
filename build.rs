//! What `bigkeys --version --verbose` says of a build: the commit and the target.

use std::env;
use std::fs;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=BIGKEYS_TARGET={}", env::var("TARGET").unwrap_or_default());
    println!("cargo::rustc-env=BIGKEYS_PROFILE={}", env::var("PROFILE").unwrap_or_default());
    println!("cargo::rustc-env=BIGKEYS_COMMIT={}", commit().unwrap_or_else(|| "unknown".to_owned()));
}

/// The commit that is built. A debug build does not ask, since it would be compiled anew after each commit.
fn commit() -> Option<String> {
    if env::var("PROFILE").ok()? != "release" {
        return None;
    }
    // Cargo puts this file into the packages that it uploads.
    if let Ok(text) = fs::read_to_string(".cargo_vcs_info.json") {
        let (_, from) = text.split_once("\"sha1\": \"")?;
        return from.split('"').next().map(str::to_owned);
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    println!("cargo::rerun-if-changed={}", git(&["rev-parse", "--git-path", "logs/HEAD"])?);
    let changed = if git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty() { "" } else { ", changed" };
    Some(git(&["rev-parse", "HEAD"])? + changed)
}
