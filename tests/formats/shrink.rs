//! A dump that is truncated or written to while it is read: an answer or a sentence, never a signal.
//!
//! Many times over, from a fixed seed, another thread changes a large dump at some moment of a run over it. A mapped page
//! that is gone raises SIGBUS where it is touched, so a run that ends by itself is the proof.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::assembler::Rdb;
use tempfile::TempDir;

const DUMP_BYTES: usize = 200 << 20;
const VALUE_BYTES: usize = 1000;
const ROUNDS: u64 = 24;
const SEED: u64 = 20_261_122;

/// A run that takes longer hangs.
const SECONDS_MAX: u64 = 120;

#[test]
fn a_dump_that_changes_while_it_is_read() {
    let dump = dump();
    let folder = folder_with(&dump);
    let path = folder.path().join("dump.rdb");
    let started = Instant::now();
    let undisturbed = ended(start(&path));
    let run_time = started.elapsed();
    assert!(undisturbed.status.success(), "{undisturbed:?}");

    let mut random = Random(SEED);
    let mut shorter = 0;
    for round in 0..ROUNDS {
        fs::write(&path, &dump).expect("the dump");
        let child = start(&path);
        let change = Change::ALL[usize::try_from(round % 3).expect("below three")];
        let output = disturb(child, &path, change, run_time, &mut random);
        let about = format!("round {round} of seed {SEED}, {change:?}: {output:?}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!message.contains("panicked"), "{about}");
        match output.status.code() {
            // It had finished before: nothing of the change is in the answer.
            Some(0) => assert_eq!((output.stdout, &*message), (undisturbed.stdout.clone(), ""), "{message}"),
            Some(1 | 2) => {
                assert!(message.starts_with(&format!("bigkeys: {}: ", path.display())), "{about}");
                assert_eq!(message.lines().count(), 1, "{about}");
                // The zeros in the place of lost pages read as strings without a name, if anybody reads them.
                if change == Change::Cut {
                    assert!(!String::from_utf8_lossy(&output.stdout).contains(r#""type":"string""#), "{about}");
                }
            }
            _ => panic!("{about}"),
        }
        shorter += usize::from(message.contains("became shorter while it was read"));
    }
    assert!(shorter > 0, "no round of seed {SEED} truncated the dump during a run");
}

/// What happens to the dump, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// It is truncated.
    Cut,
    /// Parts of it are overwritten.
    Write,
    /// It is truncated, overwritten, and given its length back.
    CutAndWrite,
}

impl Change {
    const ALL: [Self; 3] = [Self::Cut, Self::Write, Self::CutAndWrite];
}

/// Changes the dump from a random moment of the run until its end.
fn disturb(child: Child, path: &Path, change: Change, run_time: Duration, random: &mut Random) -> Output {
    let file = File::options().write(true).open(path).expect("the dump");
    let is_over = AtomicBool::new(false);
    let wait = run_time * u32::try_from(random.below(1000)).expect("a small number") / 900;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(wait);
            let mut end = DUMP_BYTES as u64;
            while !is_over.load(Ordering::Relaxed) {
                if change != Change::Write {
                    end = random.below(end) + 1;
                    file.set_len(end).expect("a shorter file");
                }
                if change != Change::Cut {
                    let at = random.below(DUMP_BYTES as u64);
                    file.write_all_at(&random.next().to_le_bytes().repeat(512), at).expect("other bytes");
                }
                if change == Change::CutAndWrite {
                    end = DUMP_BYTES as u64;
                    file.set_len(end).expect("a longer file");
                }
                std::thread::sleep(Duration::from_micros(random.below(5000)));
            }
        });
        let output = ended(child);
        is_over.store(true, Ordering::Relaxed);
        output
    })
}

/// A folder with the dump in it; in memory if that has room, since to write so much so often keeps a disk busy for minutes.
fn folder_with(dump: &[u8]) -> TempDir {
    let write_to = |folder: &TempDir| fs::write(folder.path().join("dump.rdb"), dump);
    let in_memory = tempfile::tempdir_in("/dev/shm").ok();
    in_memory.filter(|folder| write_to(folder).is_ok()).unwrap_or_else(|| {
        let folder = tempfile::tempdir().expect("a folder");
        write_to(&folder).expect("room for the dump");
        folder
    })
}

fn start(path: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_bigkeys"))
        .args(["analyze", "--at", "0", "--task-id", "858ee14c-2271-4489-8b82-7bda7459ae3e", "--instance-id", "any"])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn ended(child: Child) -> Output {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    let output = is_done.recv_timeout(Duration::from_secs(SECONDS_MAX)).expect("a run that ends");
    output.expect("its output")
}

/// Hashes alone, so that any other key in an answer never was in the dump.
fn dump() -> Vec<u8> {
    let value = vec![b'v'; VALUE_BYTES];
    let keys = (0..DUMP_BYTES / VALUE_BYTES).fold(Rdb::redis(9).select_db(0), |dump, number| {
        dump.key(4, format!("hash:{number}"), |b| b.len(1).string("field").string(&value))
    });
    keys.eof()
}

/// Splitmix64: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
