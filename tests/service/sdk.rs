//! The cloud's own client talks to the service; what it parsed is what `bigkeys analyze` says of the same dumps.

use std::process::Command;

use super::python_with;
use super::serving::{CLUSTER, PROJECT, Place, SHARDS};

#[test]
fn the_real_client() {
    let Some(python) = python_with("huaweicloudsdkdcs.v2") else { return };
    let place = Place::new(1, "");
    let serving = place.start();
    let analyze = |arguments: &[String]| {
        let output = Command::new(env!("CARGO_BIN_EXE_bigkeys")).args(["analyze", "-q"]).args(arguments).output();
        String::from_utf8(output.expect("it runs").stdout).expect("JSON")
    };
    let cluster = analyze(&SHARDS.map(|(address, dump)| format!("{address}={dump}")));
    let single = analyze(&[SHARDS[0].1.to_owned()]);
    let output = Command::new(python)
        .arg("tests/service/sdk.py")
        .args([&format!("http://{}", serving.address), PROJECT, CLUSTER, "single-0", &cluster, &single])
        // Importing the kit writes there.
        .env("HOME", place.folder.path())
        .env("NO_PROXY", "*")
        .output()
        .expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.ends_with("done\n"), "{out}\n{err}");
    let (status, log) = serving.stop();
    assert!(status.success());
    let log = serde_json::to_string(&log).expect("JSON");
    for secret in ["SK2", "Signature=", "\"token\":", "Authorization"] {
        assert!(!log.contains(secret), "the log has {secret}");
    }
}
