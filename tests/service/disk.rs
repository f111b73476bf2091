//! A small disk, to be filled.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use super::serving::Place;
use crate::support::skipped::skip;

/// A small disk of its own, with a place's store.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// Mounts it before the service has started; none where the machine does not let this process do so, which is said.
    pub(crate) fn for_store(place: &Place, bytes: u64) -> Option<Self> {
        let path = place.folder.path().join("disk");
        fs::create_dir(&path).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "none"])
            .arg(&path)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            skip("no right to mount a small disk");
            return None;
        }
        let config = fs::read_to_string(&place.config).expect("a file");
        fs::write(&place.config, config.replace("\"tasks.db\"", "\"disk/tasks.db\"")).expect("a file");
        Some(Self(path))
    }

    /// Fills it to its last byte.
    pub(crate) fn fill(&self) {
        let mut file = fs::File::options().create(true).append(true).open(self.0.join("filling")).expect("a file");
        for block in [65_536, 4096, 1] {
            while file.write_all(&vec![b'x'; block]).is_ok() {}
        }
    }

    /// Takes out what it was filled with.
    pub(crate) fn empty(&self) {
        fs::remove_file(self.0.join("filling")).expect("a file");
    }

    /// Whether the service keeps room on it.
    pub(crate) fn has_reserve(&self) -> bool {
        fs::metadata(self.0.join("tasks.db-reserve")).is_ok_and(|metadata| metadata.len() == 4 << 20)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
