//! The OpenAPI document against the service, by schemathesis: no 500, and no answer that the document does not have.

use std::process::Command;

use super::python_with;
use super::serving::{Place, Serving};

#[test]
fn nothing_but_what_the_document_says() {
    let Some(python) = python_with("schemathesis") else { return };
    // It tries wrong credentials as well, more often than a client may.
    let place = Place::new(1, "limits = { failed_logins_per_minute = 100000 }");
    // The fuzzer invents IDs; those that lead somewhere it gets from here.
    let hooks = place.folder.path().join("schemathesis.toml");
    let (project, instance) = (super::serving::PROJECT, "single-0");
    let settings =
        format!("[parameters]\n\"path.project_id\" = \"{project}\"\n\"path.instance_id\" = \"{instance}\"\n");
    std::fs::write(&hooks, settings).expect("a file");
    let serving = place.start();
    let output = Command::new(python)
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(&hooks)
        .args(["run", &format!("http://{}/openapi.json", serving.address)])
        // Its own directory: it leaves reports where it stands.
        .args(["--header", "X-Auth-Token: token", "--max-examples", "8", "--seed", "1", "--no-color"])
        // An invented task or node is refused with 400, however well it is formed: the published API has it so.
        .args(["--generation-database", "none", "--exclude-checks", "positive_data_acceptance"])
        .env("HOME", place.folder.path())
        .env("NO_PROXY", "*")
        .current_dir(place.folder.path())
        .output()
        .expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    let listed = super::http::ask(&serving.address, "GET", &Serving::path(instance, "bigkey-tasks"), "");
    assert!(listed.expect("an answer").json()["count"].as_u64() > Some(0), "it created no task:\n{out}");
}
