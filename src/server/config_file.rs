//! The configuration file of the service: TOML in, a checked [`Config`] out, or the line and column of the mistake.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;

use super::auth::{Credentials, Token};
use super::backups::{Backups, Pattern};
use super::config::{Analysis, Config, Instance, Limits, Log, Shard, Tls, is_id};

/// The least that an HTTP library reads headers into.
const HEADER_BYTES_MIN: usize = 8192;

/// Where the service listens if nobody says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// A mistake in a configuration.
#[derive(Debug)]
pub struct ConfigError {
    path: PathBuf,
    /// Line and column, from 1.
    place: Option<(usize, usize)>,
    message: String,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        write!(f, "{}", self.message)
    }
}

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<Spanned<String>>,
    store: Option<PathBuf>,
    root: Spanned<PathBuf>,
    credentials: Option<Spanned<PathBuf>>,
    tls: Option<Tls>,
    #[serde(default)]
    log: Log,
    analysis: Option<Spanned<Analysis>>,
    limits: Option<Spanned<Limits>>,
    #[serde(default)]
    project: Vec<ProjectEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectEntry {
    id: Spanned<String>,
    #[serde(default)]
    access_key: Vec<AccessKeyEntry>,
    #[serde(default)]
    token: Vec<TokenEntry>,
    #[serde(default)]
    instance: Vec<InstanceEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessKeyEntry {
    id: Spanned<String>,
    secret: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    token: Spanned<String>,
    expires_at: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum InstanceType {
    Single,
    Cluster,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceEntry {
    id: Spanned<String>,
    name: String,
    #[serde(rename = "type")]
    instance_type: InstanceType,
    dumps: Option<Spanned<String>>,
    #[serde(default)]
    shard: Vec<ShardEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShardEntry {
    address: Spanned<String>,
    dumps: Spanned<String>,
}

/// The file that credentials may lie in, apart from the rest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialsFile {
    #[serde(default)]
    project: Vec<ProjectCredentials>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectCredentials {
    id: Spanned<String>,
    #[serde(default)]
    access_key: Vec<AccessKeyEntry>,
    #[serde(default)]
    token: Vec<TokenEntry>,
}

/// A file that is being read: it knows where its mistakes are.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(Self { path: path.to_owned(), text }),
            Err(error) => {
                let message = format!("could not read it: {error}");
                Err(ConfigError { path: path.to_owned(), place: None, message })
            }
        }
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(&self.text).map_err(|error| {
            let place = error.span().map(|span| self.place(span.start));
            // The message of a parser may have lines; this one is a sentence.
            let message = error.message().trim().replace('\n', ", ");
            ConfigError { path: self.path.clone(), place, message }
        })
    }

    fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count());
        (before.matches('\n').count() + 1, column + 1)
    }

    fn error<T>(&self, at: &Spanned<T>, message: impl Into<String>) -> ConfigError {
        let place = Some(self.place(at.span().start));
        ConfigError { path: self.path.clone(), place, message: message.into() }
    }
}

impl Config {
    /// Reads a configuration. Relative paths in it are relative to its own folder; those of dumps to `root`.
    ///
    /// # Errors
    /// The first mistake, with its line and column.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let source = Source::read(path)?;
        let file: File = source.parse()?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let root = folder.join(file.root.get_ref());
        let root = fs::canonicalize(&root).and_then(|root| fs::read_dir(&root).map(|_| root));
        let root = root.map_err(|error| source.error(&file.root, format!("could not open this folder: {error}")))?;

        let mut reading = Reading { source: &source, root, projects: HashSet::new(), instances: BTreeMap::new() };
        let mut credentials = Credentials::default();
        for project in &file.project {
            reading.project(project)?;
            add_credentials(&source, &project.id, &project.access_key, &project.token, &mut credentials)?;
        }
        if let Some(path) = &file.credentials {
            let secrets = Source::read(&folder.join(path.get_ref()))?;
            let file: CredentialsFile = secrets.parse()?;
            for ProjectCredentials { id, access_key, token } in &file.project {
                if !reading.projects.contains(id.get_ref()) {
                    return Err(secrets.error(id, format!("there is no project {}", id.get_ref())));
                }
                add_credentials(&secrets, id, access_key, token, &mut credentials)?;
            }
        }
        let is_open = credentials.is_empty();
        if let Some(project) = file.project.iter().find(|p| !is_open && !credentials.has_project(p.id.get_ref())) {
            let what =
                "this project has neither access keys nor tokens, so nobody could use it: other projects have some";
            return Err(source.error(&project.id, what));
        }
        let listen = match &file.listen {
            None => LISTEN,
            Some(listen) => listen.get_ref().parse().map_err(|_| {
                source.error(listen, "not an address with a port, such as 127.0.0.1:8080 or [::1]:8080")
            })?,
        };
        let instances = reading.instances;
        let config = Self {
            listen,
            store: file.store.map(|store| folder.join(store)),
            tls: file
                .tls
                .map(|Tls { certificate, key }| Tls { certificate: folder.join(certificate), key: folder.join(key) }),
            log: file.log,
            analysis: file.analysis.map_or(Ok(Analysis::default()), |analysis| checked_analysis(&source, &analysis))?,
            limits: file.limits.map_or(Ok(Limits::default()), |limits| checked_limits(&source, &limits))?,
            instances,
            credentials,
        };
        match (config.check_listen(), &file.listen) {
            (Err(message), Some(listen)) => Err(source.error(listen, message)),
            _ => Ok(config),
        }
    }
}

/// What has been read of the projects.
struct Reading<'s> {
    source: &'s Source,
    root: PathBuf,
    projects: HashSet<String>,
    instances: BTreeMap<String, Instance>,
}

impl Reading<'_> {
    fn project(&mut self, project: &ProjectEntry) -> Result<(), ConfigError> {
        self.check_id(&project.id)?;
        if !self.projects.insert(project.id.get_ref().clone()) {
            return Err(self.source.error(&project.id, "another project has this ID"));
        }
        for instance in &project.instance {
            self.check_id(&instance.id)?;
            let read = self.instance(project.id.get_ref(), instance)?;
            if self.instances.insert(instance.id.get_ref().clone(), read).is_some() {
                return Err(self.source.error(&instance.id, "another instance has this ID"));
            }
        }
        Ok(())
    }

    fn check_id(&self, id: &Spanned<String>) -> Result<(), ConfigError> {
        if is_id(id.get_ref()) {
            return Ok(());
        }
        Err(self.source.error(id, "an ID has 1 to 64 letters, digits, hyphens and underscores"))
    }

    fn instance(&self, project_id: &str, instance: &InstanceEntry) -> Result<Instance, ConfigError> {
        let InstanceEntry { id, name, instance_type, dumps, shard: entries } = instance;
        let shards = match (instance_type, dumps, entries.as_slice()) {
            (InstanceType::Single, Some(dumps), []) => {
                vec![Shard { address: None, backups: self.backups(dumps)? }]
            }
            (InstanceType::Single, _, _) => {
                return Err(self.source.error(id, "a single instance has `dumps` and no shards"));
            }
            (InstanceType::Cluster, None, [_, ..]) => self.shards(entries)?,
            (InstanceType::Cluster, _, _) => {
                return Err(self.source.error(id, "a cluster has its `dumps` in its shards, at least one"));
            }
        };
        Ok(Instance { project_id: project_id.to_owned(), name: name.clone(), shards })
    }

    fn shards(&self, entries: &[ShardEntry]) -> Result<Vec<Shard>, ConfigError> {
        let mut addresses = HashSet::new();
        let mut shards = Vec::new();
        for ShardEntry { address, dumps } in entries {
            let has_port = address.get_ref().rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok_and(|port| port > 0)
            });
            if !has_port {
                return Err(self.source.error(address, "not an ip:port, such as 10.0.0.1:6379"));
            }
            if !addresses.insert(address.get_ref()) {
                return Err(self.source.error(address, "another shard of this cluster has this address"));
            }
            shards.push(Shard { address: Some(address.get_ref().clone()), backups: self.backups(dumps)? });
        }
        Ok(shards)
    }

    fn backups(&self, dumps: &Spanned<String>) -> Result<Backups, ConfigError> {
        let pattern = Pattern::new(&self.root, dumps.get_ref());
        let pattern = pattern.map_err(|message| self.source.error(dumps, message))?;
        Ok(Backups::new(self.root.clone(), pattern))
    }
}

fn add_credentials(
    source: &Source,
    project_id: &Spanned<String>,
    access_keys: &[AccessKeyEntry],
    tokens: &[TokenEntry],
    credentials: &mut Credentials,
) -> Result<(), ConfigError> {
    let project_id = project_id.get_ref();
    for AccessKeyEntry { id, secret } in access_keys {
        if id.get_ref().is_empty() || !id.get_ref().chars().all(|c| c.is_ascii_graphic() && c != ',') {
            return Err(source.error(id, "an access key's ID has visible ASCII characters, and no comma"));
        }
        if secret.get_ref().is_empty() {
            return Err(source.error(secret, "an empty secret keeps no secret"));
        }
        if !credentials.add_access_key(id.get_ref(), secret.get_ref(), project_id) {
            return Err(source.error(id, "this access key is there twice"));
        }
    }
    for TokenEntry { token, expires_at } in tokens {
        if token.get_ref().is_empty() || !token.get_ref().chars().all(|c| c.is_ascii_graphic()) {
            return Err(source.error(token, "a token has visible ASCII characters"));
        }
        let expires_at = match expires_at {
            None => None,
            Some(at) => {
                let parsed = at.get_ref().parse::<Timestamp>();
                Some(parsed.map_err(|_| source.error(at, "not a time, such as 2027-01-31T12:00:00Z"))?)
            }
        };
        if !credentials.add_token(token.get_ref(), Token { project_id: project_id.clone(), expires_at }) {
            return Err(source.error(token, "this token is there twice"));
        }
    }
    Ok(())
}

fn checked_analysis(source: &Source, analysis: &Spanned<Analysis>) -> Result<Analysis, ConfigError> {
    let Analysis { workers, threads } = *analysis.get_ref();
    if workers == 0 || workers > 64 || threads > 1024 {
        return Err(source.error(analysis, "`workers` is 1 to 64 and `threads` 0 to 1024"));
    }
    Ok(*analysis.get_ref())
}

fn checked_limits(source: &Source, limits: &Spanned<Limits>) -> Result<Limits, ConfigError> {
    let Limits { body_bytes, header_bytes, request_seconds, requests_at_once, connections_at_once } = *limits.get_ref();
    if header_bytes < HEADER_BYTES_MIN {
        return Err(source.error(limits, format!("`header_bytes` is at least {HEADER_BYTES_MIN}")));
    }
    if body_bytes == 0 || request_seconds == 0 || requests_at_once == 0 || connections_at_once == 0 {
        return Err(source.error(limits, "no limit is 0: nothing would pass"));
    }
    Ok(*limits.get_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"root = "."
[[project]]
id = "p"
[[project.access_key]]
id = "AK"
secret = "SK"
[[project.instance]]
id = "i"
name = "one"
type = "single"
dumps = "*.rdb"
"#;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        fs::write(&path, text).unwrap();
        Config::read(&path).map_err(|error| {
            let text = error.to_string();
            text.split_once("c.toml: ").map_or(text.clone(), |(_, sentence)| sentence.to_owned())
        })
    }

    #[test]
    fn the_example_is_good_and_shows_the_defaults() {
        let config = Config::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("bigkeys.example.toml")).unwrap();
        assert_eq!((config.listen, config.instances.len()), (LISTEN, 2));
        assert_eq!(config.instances["5f9057b5-c330-4ee2-8138-7e69896eeec3"].shards.len(), 2);
        assert_eq!(format!("{:?}", config.limits), format!("{:?}", Limits::default()));
        assert_eq!(format!("{:?}", config.analysis), format!("{:?}", Analysis::default()));
        assert_eq!(format!("{:?}", config.log), format!("{:?}", Log::default()));
        for shard in config.instances.values().flat_map(|instance| &instance.shards) {
            shard.backups.newest(None).unwrap();
        }
    }

    #[test]
    fn mistakes_have_a_line_and_a_column() {
        assert!(read(GOOD).is_ok());
        let cluster = |shards: &str| GOOD.replace("\"single\"\ndumps = \"*.rdb\"", &format!("\"cluster\"\n{shards}"));
        let shard = "[[project.instance.shard]]\naddress = \"h:1\"\ndumps = \"a\"\n";
        assert!(read(&cluster(shard)).is_ok());
        for (text, mistake) in [
            ("root = ".to_owned(), "line 1, column 8: "),
            (String::new(), "line 1, column 1: missing field `root`"),
            (
                GOOD.replace("root = \".\"", "root = \"nowhere\""),
                "line 1, column 8: could not open this folder: No such",
            ),
            (format!("wrong = 1\n{GOOD}"), "line 1, column 1: unknown field `wrong`"),
            (format!("listen = \"here\"\n{GOOD}"), "line 1, column 10: not an address with a port"),
            (format!("store = 3\n{GOOD}"), "line 1, column 9: invalid type"),
            (format!("{GOOD}port = 1\n"), "line 12, column 1: unknown field `port`"),
            (GOOD.replace("\"p\"", "\"p q\""), "line 3, column 6: an ID has 1 to 64"),
            (GOOD.replace("\"i\"", "\"\""), "line 8, column 6: an ID has 1 to 64"),
            (GOOD.replace("\"AK\"", "\"A,K\""), "line 5, column 6: an access key's ID"),
            (GOOD.replace("\"SK\"", "\"\""), "line 6, column 10: an empty secret"),
            (GOOD.replace("\"single\"", "\"many\""), "line 10, column 8: unknown variant `many`"),
            (GOOD.replace("\"*.rdb\"", "\"../a\""), "line 11, column 9: dumps lie below the root"),
            (GOOD.replace("\"*.rdb\"", "\"a/[\""), "line 11, column 9: not a glob"),
            (GOOD.replace("dumps = \"*.rdb\"", ""), "line 8, column 6: a single instance has `dumps`"),
            (GOOD.replace("\"single\"", "\"cluster\""), "line 8, column 6: a cluster has its `dumps` in its shards"),
            (cluster(&shard.replace("h:1", "h")), "line 12, column 11: not an ip:port"),
            (cluster(&shard.repeat(2)), "line 15, column 11: another shard of this cluster has this address"),
            (format!("{GOOD}[[project]]\nid = \"p\"\n"), "line 13, column 6: another project has this ID"),
            (format!("{GOOD}[[project]]\nid = \"q\"\n"), "line 13, column 6: this project has neither access keys nor"),
            (
                format!("{GOOD}[[project.instance]]\nid = \"i\"\nname = \"\"\ntype = \"single\"\ndumps = \"a\"\n"),
                "line 13, column 6: another instance has this ID",
            ),
            (
                format!("{GOOD}[[project.access_key]]\nid = \"AK\"\nsecret = \"x\"\n"),
                "line 13, column 6: this access key is",
            ),
            (
                format!("{GOOD}[[project.token]]\ntoken = \"t\"\nexpires_at = \"soon\"\n"),
                "line 14, column 14: not a time",
            ),
            (format!("{GOOD}[limits]\nbody_bytes = 0\n"), "line 12, column 1: no limit is 0"),
            (format!("{GOOD}[limits]\nheader_bytes = 1\n"), "line 12, column 1: `header_bytes` is at least"),
            (format!("{GOOD}[analysis]\nworkers = 0\n"), "line 12, column 1: `workers` is 1 to 64"),
            (format!("{GOOD}[log]\nlevel = \"all\"\n"), "line 13, column 9: unknown variant `all`"),
            (
                format!(
                    "listen = \"0.0.0.0:80\"\n{}",
                    GOOD.replace("[[project.access_key]]\nid = \"AK\"\nsecret = \"SK\"\n", "")
                ),
                "line 1, column 10: no project has access keys or tokens",
            ),
        ] {
            let found = read(&text).map(|_| ()).unwrap_err();
            assert!(found.starts_with(mistake), "{mistake:?} is expected of\n{text}\nnot {found:?}");
            assert!(!found.contains('\n'), "{found:?}");
        }
    }

    #[test]
    fn credentials_in_a_file_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        fs::write(&path, format!("credentials = \"s.toml\"\n{GOOD}")).unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("s.toml: could not read it"));
        let secrets = "[[project]]\nid = \"p\"\n[[project.token]]\ntoken = \"t\"\n";
        fs::write(folder.path().join("s.toml"), secrets).unwrap();
        assert_eq!(format!("{:?}", Config::read(&path).unwrap().credentials), "Credentials(1 access keys, 1 tokens)");
        fs::write(folder.path().join("s.toml"), secrets.replace("\"p\"", "\"q\"")).unwrap();
        let mistake = Config::read(&path).unwrap_err().to_string();
        assert!(mistake.ends_with("s.toml: line 2, column 6: there is no project q"), "{mistake}");
        fs::write(&path, "credentials = \"c.toml\"\nroot = \".\"\n").unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("unknown field `credentials`"));
    }
}
