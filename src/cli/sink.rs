//! Where tasks and reports go: standard output, or a file or an object that is written whole or not at all.

use std::fs::{self, Metadata};
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use bigkeys::input::{Upload, create, is_url, shown};
use serde::Serialize;
use tempfile::NamedTempFile;

/// An open place for them.
pub(super) enum Sink {
    Stdout(BufWriter<io::Stdout>),
    /// A file that takes the place of the one that was named at the end.
    File {
        temporary: BufWriter<Unfinished>,
        path: PathBuf,
    },
    /// An object in a bucket.
    Object {
        upload: Box<Upload>,
        path: PathBuf,
    },
    /// Something that exists and is not a regular file, such as a FIFO or `/dev/null`.
    Special {
        file: BufWriter<fs::File>,
        path: PathBuf,
    },
}

impl Sink {
    /// Opens standard output, or makes sure before any work that the file can be written.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Self::Stdout(BufWriter::new(io::stdout()))) };
        if let Some(url) = path.to_str().filter(|url| is_url(url)) {
            let upload = Box::new(create(url).map_err(|error| error.to_string())?);
            return Ok(Self::Object { upload, path: path.to_owned() });
        }
        Self::open_file(path).map_err(|error| sentence(path, &error))
    }

    fn open_file(path: &Path) -> io::Result<Self> {
        let path = target(path);
        if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            let file = BufWriter::new(fs::File::options().write(true).open(&path)?);
            return Ok(Self::Special { file, path });
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = BufWriter::new(Unfinished::new(&path, folder)?);
        Ok(Self::File { temporary, path })
    }

    /// Whether what is written is seen by a person at once.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Stdout(stdout) if stdout.get_ref().is_terminal())
    }

    /// Writes a task or report as JSON and a newline; false if nobody reads standard output any more.
    pub(super) fn write(&mut self, answer: &impl Serialize, is_pretty: bool) -> Result<bool, String> {
        self.write_with(|to| write_json(to, answer, is_pretty))
    }

    /// Writes what a function writes; false if nobody reads standard output any more.
    pub(super) fn write_with(
        &mut self,
        write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
    ) -> Result<bool, String> {
        let written = match self {
            Self::Stdout(stdout) => match write(stdout).and_then(|()| stdout.flush()) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(false),
                written => written,
            },
            Self::File { temporary, .. } => write(temporary),
            Self::Object { upload, .. } => write(upload.as_mut()),
            Self::Special { file, .. } => write(file),
        };
        written.map(|()| true).map_err(|error| sentence(self.path(), &error))
    }

    /// The writer itself, for what is not JSON.
    pub(super) fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Stdout(stdout) => stdout,
            Self::File { temporary, .. } => temporary,
            Self::Object { upload, .. } => upload,
            Self::Special { file, .. } => file,
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Stdout(_) => Path::new("standard output"),
            Self::File { path, .. } | Self::Object { path, .. } | Self::Special { path, .. } => path,
        }
    }

    /// Puts what was written in its place.
    pub(super) fn finish(self) -> Result<(), String> {
        match self {
            Self::Stdout(_) => Ok(()),
            Self::Object { upload, path } => upload.finish().map_err(|error| sentence(&path, &error)),
            Self::Special { mut file, path } => file.flush().map_err(|error| sentence(&path, &error)),
            Self::File { temporary, path } => {
                let put = || -> io::Result<()> {
                    let temporary = temporary.into_inner().map_err(io::IntoInnerError::into_error)?;
                    temporary.finish(&path)
                };
                put().map_err(|error| sentence(&path, &error))
            }
        }
    }
}

/// Makes sure that the output takes the place of none of the inputs.
///
/// # Errors
/// A sentence that names the input.
pub(super) fn keep_inputs<'p>(mut inputs: impl Iterator<Item = &'p Path>, output: Option<&Path>) -> Result<(), String> {
    let overwritten = output.and_then(|output| inputs.find(|input| is_same(input, output)));
    overwritten.map_or(Ok(()), |input| Err(format!("{}: refusing to overwrite an input file", shown(input))))
}

/// Whether two paths lead to one regular file, or are one URL.
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &Path| path.metadata().ok().filter(Metadata::is_file).map(|file| (file.dev(), file.ino()));
    is_url(one) && one == other || id(one).is_some() && id(one) == id(other)
}

/// A file that is not whole yet.
pub(super) enum Unfinished {
    /// Without a name: nothing is left of it if the program ends before its time, by whatever signal.
    Nameless(fs::File),
    /// Where the file system knows no files without a name.
    Named(NamedTempFile),
}

impl Unfinished {
    /// A file in `folder` with the rights that the one at `path` has, or that a new one would get.
    fn new(path: &Path, folder: &Path) -> io::Result<Self> {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        const NEW_RIGHTS: u32 = 0o666;
        let nameless = fs::File::options().write(true).custom_flags(libc::O_TMPFILE).mode(NEW_RIGHTS).open(folder);
        let unfinished = match nameless {
            Ok(file) if own_file(&file).exists() => Self::Nameless(file),
            // A file with a name would fail likewise, and its name would be in the message.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
                return Err(error);
            }
            _ => {
                let rights = fs::Permissions::from_mode(NEW_RIGHTS);
                Self::Named(tempfile::Builder::new().prefix(PREFIX).permissions(rights).tempfile_in(folder)?)
            }
        };
        if let Ok(metadata) = fs::metadata(path) {
            // Set apart, since the umask cuts only what a new file gets.
            unfinished.file().set_permissions(metadata.permissions())?;
        }
        Ok(unfinished)
    }

    fn file(&self) -> &fs::File {
        match self {
            Self::Nameless(file) => file,
            Self::Named(temporary) => temporary.as_file(),
        }
    }

    /// Puts it at `path`, in the place of what is there.
    fn finish(self, path: &Path) -> io::Result<()> {
        self.file().sync_all()?;
        let file = match self {
            Self::Named(temporary) => return temporary.persist(path).map(|_| ()).map_err(Into::into),
            Self::Nameless(file) => file,
        };
        match name(&file, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            named => return named,
        }
        // A name can be given, but not taken from another file: that is for a rename to do.
        let beside = path.with_file_name(format!("{PREFIX}{}", uuid::Uuid::new_v4()));
        name(&file, &beside)?;
        fs::rename(&beside, path).inspect_err(|_| _ = fs::remove_file(&beside))
    }
}

/// What names of unfinished files begin with.
const PREFIX: &str = ".bigkeys-";

/// The path by which this process reaches an open file.
fn own_file(file: &fs::File) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Gives a file without a name this one.
fn name(file: &fs::File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    Ok(linkat(CWD, own_file(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

/// What a path leads to: a symbolic link stays one, and its target is written, whether it is there yet or not.
fn target(path: &Path) -> PathBuf {
    const LINKS_MAX: usize = 40;
    if path.exists() {
        // What has no path of its own, such as a pipe behind `/dev/stdout`, is opened by the one it was given.
        return fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    }
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(next) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(next);
    }
    path
}

fn write_json(mut to: impl Write, answer: &impl Serialize, is_pretty: bool) -> io::Result<()> {
    if is_pretty {
        serde_json::to_writer_pretty(&mut to, answer)?;
    } else {
        serde_json::to_writer(&mut to, answer)?;
    }
    to.write_all(b"\n")
}

fn sentence(path: &Path, error: &io::Error) -> String {
    format!("{}: could not write it: {error}", shown(path))
}
