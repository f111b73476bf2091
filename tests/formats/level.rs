//! Slots that a shard should give away: which, to whom, and the same however the reports of the shards come together.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::assembler::Rdb;
use crate::support::server::{self, Kind, Server};
use crate::support::tools;
use bigkeys::memory::Target;
use bigkeys::report::{Finding, Name, NameMap, Question, Report, Rules, SlotsMoved};
use bigkeys::{Dump, Options, findings, report_all};

/// Hash tags of a shard, and how many keys of a kilobyte each has.
type Tags<'t> = &'t [(&'t str, u64)];

/// A report about shards of one cluster, `10.0.0.FIRST:6379` and the ones after it.
fn report(folder: &tempfile::TempDir, first: usize, shards: &[Tags<'_>], target: Option<Target>) -> Report {
    let dump = |(number, tags): (usize, &Tags<'_>)| {
        let mut rdb = Rdb::redis(11).aux("redis-ver", "7.2.4").select_db(0);
        for (tag, keys) in *tags {
            for key in 0..*keys {
                rdb = rdb.key(0, format!("{{{tag}}}:{key:04}"), |v| v.string("x".repeat(1000)));
            }
        }
        let path = folder.path().join(format!("{number}.rdb"));
        std::fs::write(&path, rdb.eof()).expect("it can be written");
        Dump { shard: Some(format!("10.0.0.{number}:6379")), ..Dump::from(&path) }
    };
    let dumps: Vec<Dump> = (first..).zip(shards).map(dump).collect();
    let question = Question { has_slots: true, target, ..Question::default() };
    let mut options = Options::default();
    options.segment_bytes = 30_000;
    report_all(&dumps, &question, &options, &Arc::default()).expect("the files can be read").0
}

fn skew(report: &Report) -> Vec<Finding> {
    findings::judge(report, Rules::Huawei).into_iter().filter(|finding| finding.id == "shard-skew").collect()
}

/// The slot of a tag, bit by bit.
fn slot(tag: &str) -> u16 {
    let crc = tag.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| crc << 1 ^ if crc >> 15 == 1 { 0x1021 } else { 0 })
    });
    crc % 16_384
}

fn slots(moved: &SlotsMoved) -> Vec<u16> {
    moved.slots.iter().flat_map(|(first, last)| *first..=*last).collect()
}

const HEAVY: Tags<'_> = &[("a", 10), ("b", 90), ("c", 35), ("d", 60), ("e", 25), ("f", 80), ("g", 50), ("h", 40)];
const LIGHT: [Tags<'_>; 3] = [&[("k", 30), ("l", 20)], &[("m", 70)], &[("n", 5), ("o", 45)]];

#[test]
fn a_heavy_shard_gives_slots_until_it_is_level() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = [&[HEAVY][..], &LIGHT].concat();
    let whole = report(&folder, 1, &all, None);
    let [found] = &skew(&whole)[..] else { panic!("one shard is heavy") };
    let mut held: BTreeMap<String, u64> =
        whole.dumps.iter().map(|dump| (dump.shard.clone().expect("a shard"), dump.keys.memory_bytes)).collect();
    let mean = held.values().sum::<u64>() / 4;
    let of_slot: BTreeMap<u16, u64> =
        whole.slots.as_ref().expect("slots").slots.iter().map(|of| (of.slot, of.memory_bytes)).collect();
    assert!(!found.moves.is_empty());
    for moved in &found.moves {
        let bytes: u64 = slots(moved).iter().map(|slot| of_slot[slot]).sum();
        assert_eq!(moved.memory_bytes, bytes);
        *held.get_mut(&moved.to).expect("a shard") += bytes;
        *held.get_mut("10.0.0.1:6379").expect("a shard") -= bytes;
        // Each of these slots has the keys of one tag of the heavy shard.
        let mut named: Vec<u16> = moved.tags.iter().map(|tag| tag.slot).collect();
        named.sort_unstable();
        assert_eq!(named, slots(moved));
        for tag in &moved.tags {
            let name = std::str::from_utf8(tag.name.bytes()).expect("ASCII");
            let (_, keys) = HEAVY.iter().find(|(tag, _)| *tag == name).expect("a tag of the heavy shard");
            assert_eq!((tag.slot, tag.keys, tag.memory_bytes), (slot(name), *keys, of_slot[&slot(name)]));
        }
    }
    assert!(held.values().all(|bytes| *bytes <= mean + mean / 10), "{mean}: {held:?}");
    let evidence = |name: &str| found.evidence.iter().find(|evidence| evidence.name == name).expect(name).value;
    assert_eq!(evidence("slots_moved"), found.moves.iter().map(|moved| slots(moved).len() as u64).sum::<u64>());
    assert_eq!(evidence("memory_bytes_moved"), found.moves.iter().map(|moved| moved.memory_bytes).sum::<u64>());
    let heaviest = &found.moves[0];
    let first = format!(" to {}", heaviest.to);
    assert!(found.action.contains(&first) && found.action.contains("hash tag in them is {b} of slot"), "{found:?}");
    // Redis 7.2 has no command that moves slots.
    assert!(found.commands.is_empty());

    // The same from reports of the shards, in whatever order they are added up.
    for cuts in [&[1][..], &[2], &[1, 2], &[1, 2, 3], &[2, 3]] {
        let ends: Vec<usize> = cuts.iter().copied().chain([4]).collect();
        let parts = |at: usize| {
            let start = if at == 0 { 0 } else { ends[at - 1] };
            report(&folder, start + 1, &all[start..ends[at]], None)
        };
        let from_left = (1..ends.len()).fold(parts(0), |mut sum, at| {
            sum.merge(parts(at)).expect("reports of one kind");
            sum
        });
        let from_right = (0..ends.len() - 1).rev().fold(parts(ends.len() - 1), |sum, at| {
            let mut first = parts(at);
            first.merge(sum).expect("reports of one kind");
            first
        });
        assert_eq!(from_left.slots, whole.slots, "{cuts:?}");
        assert_eq!((skew(&from_left), skew(&from_right)), (skew(&whole), skew(&whole)), "{cuts:?}");
    }
}

#[test]
fn servers_that_move_slots_are_told_which() {
    let folder = tempfile::tempdir().expect("a folder");
    let commands = |target| {
        let [found] = &skew(&report(&folder, 1, &[&[("a", 90), ("b", 100)], &[("c", 10)]], target))[..] else {
            panic!("one shard is heavy")
        };
        assert_eq!(found.moves.iter().map(slots).collect::<Vec<_>>(), [[slot("a")]]);
        found.commands.clone()
    };
    let slot = slot("a");
    assert_eq!(
        commands(Some(Target::Redis8_10)),
        [format!("redis-cli -h 10.0.0.2 -p 6379 CLUSTER MIGRATION IMPORT {slot} {slot}")]
    );
    let node = "\"$(redis-cli -h 10.0.0.2 -p 6379 CLUSTER MYID)\"";
    assert_eq!(
        commands(Some(Target::Valkey9_0)),
        [format!("redis-cli -h 10.0.0.1 -p 6379 CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {node}")]
    );
    assert!(commands(Some(Target::Valkey8_1)).is_empty());
}

#[test]
fn what_cannot_be_moved_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let moves = |shards: &[Tags<'_>]| {
        let [found] = &skew(&report(&folder, 1, shards, None))[..] else { panic!("one shard is heavy") };
        assert!(found.moves.is_empty() == found.action.starts_with("Move slots with "), "{found:?}");
        found.moves.iter().flat_map(slots).collect::<Vec<u16>>()
    };
    // A slot that is as heavy as the rest of its shard would only make another one heavy.
    assert!(moves(&[&[("a", 190)], &[("c", 10)]]).is_empty());
    // A slot that several dumps have is being moved, or is of several clusters.
    assert_eq!(moves(&[&[("a", 90), ("b", 90)], &[("a", 5), ("c", 5)]]), [slot("b")]);
    assert!(moves(&[&[("a", 190)], &[("a", 10)]]).is_empty());
}

/// Dumps of a merged report are numbered anew, where slots were asked for on one side alone too.
#[test]
fn slots_know_their_dumps_in_merged_reports() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut merged = report(&folder, 1, &[LIGHT[0]], None);
    merged.slots = None;
    merged.merge(report(&folder, 2, &[HEAVY], None)).expect("reports of one kind");
    let slots = merged.slots.expect("slots of the second").slots;
    assert!(slots.len() == HEAVY.len() && slots.iter().all(|slot| slot.dump == Some(1)), "{slots:?}");
}

/// Stand-ins of names are in other slots.
#[test]
fn redacted_reports_name_slots_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut redacted = report(&folder, 1, &[&[("a", 90), ("b", 90)], &[("c", 10)]], None);
    let plain = skew(&redacted);
    assert_eq!(plain[0].moves[0].tags[0].name, Name::new("a"));
    let map = NameMap { mark: "names", name: &|_| b"c".to_vec(), sentence: &str::to_owned };
    redacted.map_names(&map);
    let found = skew(&redacted);
    assert_eq!(found[0].moves[0].slots, plain[0].moves[0].slots);
    assert!(found[0].moves[0].tags.is_empty());
}

/// A cluster of real servers is level after the commands of its finding, by just the bytes that it names.
#[test]
fn a_cluster_is_level_after_the_commands() {
    if !tools::require("redis-cli") {
        return;
    }
    let [heavy_port, light_port, heavy_bus, light_bus] = [(); 4].map(|()| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port().to_string()
    });
    let start = |port: &str, bus: &str, slots: [&str; 2]| {
        let arguments = ["--bind", "127.0.0.1", "--port", port, "--cluster-port", bus, "--cluster-enabled", "yes"];
        let mut node = server::require_with(Kind::Valkey, &arguments)?;
        node.ask(&["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]);
        Some(node)
    };
    let Some(mut heavy) = start(&heavy_port, &heavy_bus, ["0", "8191"]) else { return };
    let Some(mut light) = start(&light_port, &light_bus, ["8192", "16383"]) else { return };
    heavy.ask(&["CLUSTER", "MEET", "127.0.0.1", &light_port, &light_bus]);
    for node in [&mut heavy, &mut light] {
        wait_until(|| {
            let info = String::from_utf8(node.ask(&["CLUSTER", "INFO"]).into_bytes()).expect("text");
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:2")
        });
    }
    for (node, is_of_node, keys) in [(&mut heavy, 0..8192, 60), (&mut light, 8192..16_384, 5)] {
        for tag in (0..60).map(|number| format!("t{number}")).filter(|tag| is_of_node.contains(&slot(tag))) {
            for number in 0..keys + u64::from(slot(&tag)) % keys {
                node.queue(&["SET", &format!("{{{tag}}}:{number}"), &"x".repeat(1000)]);
            }
        }
        node.answers();
    }
    let report = |heavy: &mut Server, light: &mut Server| {
        let dump = |node: &mut Server, port: &str| {
            node.ask(&["SAVE"]);
            Dump { shard: Some(format!("127.0.0.1:{port}")), ..Dump::from(&node.dump()) }
        };
        let dumps = [dump(heavy, &heavy_port), dump(light, &light_port)];
        let question = Question { has_slots: true, ..Question::default() };
        report_all(&dumps, &question, &Options::default(), &Arc::default()).expect("the files can be read").0
    };
    let before = report(&mut heavy, &mut light);
    let [found] = &skew(&before)[..] else { panic!("one shard is heavy: {:?}", before.findings) };
    let ([moved], [command]) = (&found.moves[..], &found.commands[..]) else { panic!("{found:?}") };
    let output = Command::new("sh").args(["-c", command]).output().expect("sh");
    assert!(output.stdout.starts_with(b"OK"), "{command}: {output:?}");
    wait_until(|| heavy.ask(&["DBSIZE"]).into_count() == before.dumps[0].keys.keys - moved.keys);
    let after = report(&mut heavy, &mut light);
    let memory = |report: &Report| [0, 1].map(|dump| report.dumps[dump].keys.memory_bytes);
    let [was_heavy, was_light] = memory(&before);
    assert_eq!(memory(&after), [was_heavy - moved.memory_bytes, was_light + moved.memory_bytes]);
    assert!(skew(&after).is_empty());
}

#[track_caller]
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !is_so() {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(50));
    }
}
