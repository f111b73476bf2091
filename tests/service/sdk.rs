//! The cloud's own client talks to the service; what it parsed is what `bigkeys analyze` says of the same dumps.

use std::fs;
use std::process::Command;

use super::python_with;
use super::serving::{CLUSTER, PROJECT, Place, SHARDS, Serving};

#[test]
fn the_real_client() {
    let Some(python) = python_with("huaweicloudsdkdcs.v2") else { return };
    let place = Place::new(1, "");
    // The last project's: Redis 5 with an LFU policy, and a key that had expired.
    let more = "[[project.instance]]\nid = \"hot\"\nname = \"\"\ntype = \"single\"\ndumps = \"hot.rdb\"\n";
    let config = fs::read_to_string(&place.config).expect("a file") + more;
    fs::write(&place.config, config).expect("a file");
    let mut dump = b"REDIS0009\xfa\x05ctime\x0a1700000000\xfe\x00".to_vec();
    dump.extend_from_slice(b"\xfc\x01\0\0\0\0\0\0\0\xf9\x03\0\x03old\x02vv\xf9\xff\0\x04used\x01v");
    dump.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
    fs::write(place.folder.path().join("dumps/hot.rdb"), dump).expect("a file");
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

#[test]
fn the_documented_conversation_over_the_example_configuration() {
    let Some(python) = python_with("huaweicloudsdkdcs.v2") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let example = fs::read_to_string("bigkeys.example.toml").expect("the example");
    let config = folder.path().join("bigkeys.toml");
    let here = format!("root = \"{}\"", env!("CARGO_MANIFEST_DIR"));
    fs::write(&config, example.replace("root = \".\"", &here).replace("\"text\"", "\"json\"")).expect("a file");
    let serving = Serving::start(&config);
    let page = fs::read_to_string("docs/service.md").expect("the page");
    let block = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    let output = Command::new(python)
        .args(["-c", &block.replace("127.0.0.1:8080", &serving.address)])
        .env("HOME", folder.path())
        .env("NO_PROXY", "*")
        .output()
        .expect("it runs");
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(out.starts_with("success [('10.0.0.1:6379', 'string', "), "{out}\n{err}");
}
