//! A running service with a folder of its own; it ends with the value that stands for it, also on a panic.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The project that the token, the access key `AK` and its secret `SK` are of.
pub(crate) const PROJECT: &str = "a4d31cb6a5f94fd58ec96e3a41e47f71";

/// Its instance of two shards, and what their dumps are.
pub(crate) const CLUSTER: &str = "5f9057b5-c330-4ee2-8138-7e69896eeec3";
pub(crate) const SHARDS: [(&str, &str); 2] =
    [("10.0.0.1:6379", "fixtures/cluster_slots_v13.rdb"), ("10.0.0.2:6379", "fixtures/mixed_all_v13.rdb")];

/// Where a service's configuration, dumps and store are.
pub(crate) struct Place {
    pub folder: TempDir,
    pub config: PathBuf,
}

/// A running service.
pub(crate) struct Serving {
    process: Child,
    /// `ip:port`.
    pub address: String,
    log: Arc<Mutex<Vec<Value>>>,
    reader: Option<JoinHandle<()>>,
    /// Standard error, of which nothing more is read.
    _unread: Option<BufReader<ChildStderr>>,
}

/// Who reads the log once the service listens.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum LogReader {
    Reads,
    /// Closes it, as `head -1` does.
    Closes,
    /// Keeps it open, and reads no more.
    Stalls,
}

impl Place {
    /// A place with the cluster, an instance of another project, and this many single instances `single-0` and so on.
    /// `more` stands at the configuration's beginning.
    pub(crate) fn new(singles: usize, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = format!(
            "{more}\nroot = \"dumps\"\nstore = \"tasks.db\"\nlog = {{ format = \"json\" }}\n\
             [[project]]\nid = \"{PROJECT}\"\naccess_key = [{{ id = \"AK\", secret = \"SK\" }}]\n\
             token = [{{ token = \"token\" }}]\n\
             [[project.instance]]\nid = \"{CLUSTER}\"\nname = \"cluster\"\ntype = \"cluster\"\n"
        );
        let dumps = folder.path().join("dumps");
        fs::create_dir(&dumps).expect("a folder");
        for (number, (address, fixture)) in SHARDS.into_iter().enumerate() {
            fs::copy(fixture, dumps.join(format!("shard-{number}.rdb"))).expect("a copy");
            _ = writeln!(config, "[[project.instance.shard]]\naddress = \"{address}\"\ndumps = \"shard-{number}*\"");
        }
        for number in 0..singles {
            let instance = format!("id = \"single-{number}\"\nname = \"\"\ntype = \"single\"\ndumps = \"shard-0.rdb\"");
            _ = writeln!(config, "[[project.instance]]\n{instance}");
        }
        _ = writeln!(config, "[[project]]\nid = \"another\"\naccess_key = [{{ id = \"AK2\", secret = \"SK2\" }}]");
        _ = writeln!(config, "[[project.instance]]\nid = \"anothers\"\nname = \"\"\ntype = \"single\"\ndumps = \"x\"");
        let path = folder.path().join("bigkeys.toml");
        fs::write(&path, config).expect("a file");
        Self { folder, config: path }
    }

    pub(crate) fn start(&self) -> Serving {
        Serving::start(&self.config)
    }
}

impl Serving {
    pub(crate) fn start(config: &Path) -> Self {
        Self::start_with(config, LogReader::Reads, &[])
    }

    pub(crate) fn start_with(config: &Path, reader: LogReader, variables: &[(&str, &Path)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_bigkeys"))
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(config)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(process.stderr.take().expect("a pipe"));
        let log = Arc::<Mutex<Vec<Value>>>::default();
        let mut address = None;
        while address.is_none() {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).expect("a log") > 0, "no service: {:?}", log.lock().expect("a log"));
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            address = event["address"].as_str().map(str::to_owned);
            log.lock().expect("a log").push(event);
        }
        let address = address.expect("an address");
        let (reader, unread) = match reader {
            LogReader::Reads => {
                let log = log.clone();
                (Some(std::thread::spawn(move || read_log(lines, &log))), None)
            }
            LogReader::Closes => (None, None),
            LogReader::Stalls => (None, Some(lines)),
        };
        Self { process, address, log, reader, _unread: unread }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status();
        assert!(sent.expect("kill starts").success());
    }

    /// Waits until the log has an event with this message.
    pub(crate) fn wait_for(&self, message: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let found = self.log.lock().expect("a log").iter().find(|event| event["message"] == message).cloned();
            if let Some(event) = found {
                return event;
            }
            assert!(Instant::now() < deadline, "no {message:?} in {:?}", self.log.lock().expect("a log"));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn path(instance: &str, rest: &str) -> String {
        format!("/v2/{PROJECT}/instances/{instance}/{rest}")
    }

    /// Ends it as nothing can prepare for.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    /// Ends it by SIGTERM; returns how it ended and what it logged.
    pub(crate) fn stop(mut self) -> (ExitStatus, Vec<Value>) {
        self.signal("TERM");
        let status = self.process.wait().expect("it ends");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a log");
        }
        let log = std::mem::take(&mut *self.log.lock().expect("a log"));
        (status, log)
    }
}

fn read_log(lines: BufReader<ChildStderr>, log: &Mutex<Vec<Value>>) {
    for line in lines.lines().map_while(Result::ok) {
        let event = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        log.lock().expect("a log").push(event);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
