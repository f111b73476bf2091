//! Values written out: every fixture in every form, the same bytes whichever way the dump is read, nothing lost, and what
//! servers make of the commands.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::support::assembler::{Listpack, Lzf, Rdb};
use crate::support::fixtures;
use crate::support::server::{self, Kind, Server};
use crate::support::ways::Scratch;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bigkeys::analysis::filter::Filter;
use bigkeys::engine::{Exported, export_all};
use bigkeys::memory::Target;
use bigkeys::output::values::{Drain, ElementText, Lines, Review};
use bigkeys::{Options, Progress};
use serde_json::Value;

/// The forms that are bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Objects,
    Elements(ElementText),
    Native(Target),
    Restore(Target),
    Delete,
}

/// What a form comes to, and what was told.
fn exported(path: &Path, what: What, filter: &Filter, options: &Options) -> (Vec<u8>, Exported) {
    let written = Mutex::new(Vec::new());
    let drain: Drain<'_> =
        Arc::new(Mutex::new(|bytes: &[u8]| written.lock().expect("no panic").extend_from_slice(bytes)));
    let dumps = [bigkeys::Dump::from(path)];
    let names = ["dump".to_owned()];
    let progress = Arc::new(Progress::default());
    let told = match what {
        What::Objects => export_all(&dumps, filter, options, &progress, |_| Lines::objects(&names, drain.clone())),
        What::Elements(text) => {
            export_all(&dumps, filter, options, &progress, |_| Lines::elements(text, &names, drain.clone()))
        }
        What::Native(target) => {
            export_all(&dumps, filter, options, &progress, |_| Lines::commands(target, drain.clone()))
        }
        What::Restore(target) => {
            export_all(&dumps, filter, options, &progress, |_| Lines::restores(target, drain.clone()))
        }
        What::Delete => {
            export_all(&dumps, filter, options, &progress, |_| Lines::review(Review::Delete, drain.clone()))
        }
    };
    drop(drain);
    (written.into_inner().expect("no panic"), told.expect("the dump can be opened"))
}

fn all(path: &Path, what: What) -> (Vec<u8>, Exported) {
    exported(path, what, &Filter::default(), &Options::default())
}

const EVERY: [What; 6] = [
    What::Objects,
    What::Elements(ElementText::Csv),
    What::Elements(ElementText::Ndjson),
    What::Native(Target::Redis8_8),
    What::Restore(Target::Redis8_8),
    What::Delete,
];

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("JSON is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The bytes that a text stands for.
fn bytes(text: &str) -> Vec<u8> {
    match text.strip_prefix("base64:") {
        Some(base64) => BASE64_STANDARD.decode(base64).expect("Base64"),
        None => text.as_bytes().to_vec(),
    }
}

fn sentences(told: &Exported) -> String {
    let sentences: Vec<String> = told.errors.iter().map(ToString::to_string).collect();
    sentences.join("\n")
}

// ---- fixtures

#[test]
fn every_fixture_is_written_whole() {
    for fixture in fixtures::sound() {
        let (written, told) = all(&fixture.path, What::Objects);
        let objects = lines(&written);
        let name = &fixture.name;
        let stated = fixture.keys().as_array().expect("keys");
        assert_eq!(objects.len(), stated.len(), "{name}");
        assert_eq!(told.keys, stated.len() as u64, "{name}");
        let mut sizes: BTreeMap<(u64, String), u64> = BTreeMap::new();
        for key in stated {
            let of = |member: &str| key[member].as_str().unwrap_or_default().to_owned();
            let size = if key["unit"] == "byte" && key["type"] != "string" { 0 } else { key["size"].as_u64().unwrap() };
            sizes.insert((key["db"].as_u64().unwrap(), of("name")), size);
        }
        let mut incomplete = 0;
        for object in &objects {
            let key = (object["db"].as_u64().unwrap(), object["name"].as_str().unwrap().to_owned());
            if object["is_complete"] == false {
                incomplete += 1;
                continue;
            }
            let value = &object["value"];
            let size = match object["type"].as_str().unwrap() {
                "string" => bytes(value.as_str().unwrap()).len(),
                "list" | "set" => value.as_array().unwrap().len(),
                "hash" | "zset" | "array" => value.as_object().unwrap().len(),
                "stream" => value["entries"].as_array().unwrap().len(),
                "vectorset" => {
                    assert!(!value["parts"].as_array().unwrap().is_empty());
                    usize::try_from(sizes[&key]).unwrap()
                }
                _ => {
                    assert!(value["parts"].is_array(), "{object}");
                    0
                }
            };
            assert_eq!(size as u64, sizes[&key], "{name} {key:?}");
        }
        assert_eq!(incomplete, told.errors.len(), "{name}: {}", sentences(&told));
        let is_undecoded = ["string_bitmap_v16.rdb", "keydb_subexpire_v09.rdb"].contains(&name.as_str());
        assert!(told.errors.is_empty() || is_undecoded, "{name}: {}", sentences(&told));
    }
}

#[test]
fn every_way_of_reading_gives_the_same_bytes() {
    let scratch = Scratch::new();
    for fixture in fixtures::sound().into_iter().chain(fixtures::refused()) {
        let compressed = scratch.write("dump.lz4", &lz4(&fixture.bytes));
        for what in EVERY {
            let plain = all(&fixture.path, what);
            let name = &fixture.name;
            for (threads, segment_bytes) in [(1, 0), (3, 100)] {
                let mut options = Options::default();
                (options.threads, options.segment_bytes) = (threads, segment_bytes);
                let other = exported(&fixture.path, what, &Filter::default(), &options);
                assert!(other.0 == plain.0, "{name} {what:?}, {threads} threads");
                assert_eq!(sentences(&other.1), sentences(&plain.1), "{name} {what:?}");
            }
            for window_bytes in [13, 4096] {
                let mut options = Options::default();
                options.window_bytes = window_bytes;
                let other = exported(&compressed, what, &Filter::default(), &options);
                assert!(other.0 == plain.0, "{name} {what:?}, windows of {window_bytes}");
                assert_eq!(other.1.errors.len(), plain.1.errors.len(), "{name}: {}", sentences(&other.1));
            }
        }
    }
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

// ---- forms

/// One key of each shape, with what makes trouble.
fn shapes() -> Vec<u8> {
    let packed = Listpack::new().string("f").string(b"\xff\x00").string("=1+1").int(-7).build();
    Rdb::redis(12)
        .select_db(3)
        .key(0, "s", |b| b.string("a\u{1b}[31m\u{9b}\"\n"))
        .expire_ms(4_102_444_800_000)
        .key(1, b"l\xff", |b| b.len(2).string("base64:x").string_i8(-5))
        .key(16, "h", |b| b.string(&packed))
        .select_db(4)
        .key(5, "z", |b| b.len(3).string("m").f64(0.5).string("n").f64(f64::INFINITY).string("o").f64(3.0))
        .key(24, "t", |b| b.u64(1000).len(2).len(0).string("a").string("1").len(6).string("b").string("2"))
        .eof()
}

#[test]
fn objects_lose_nothing() {
    let scratch = Scratch::new();
    let (written, told) = all(&scratch.write("dump.rdb", &shapes()), What::Objects);
    assert!(told.errors.is_empty(), "{}", sentences(&told));
    let expected = r#"{"db":3,"name":"s","type":"string","value":"a\u001b[31m\u009b\"\n"}
{"db":3,"name":"l\\xff","name_base64":"bP8=","type":"list","expires_at_ms":4102444800000,"value":["base64:YmFzZTY0Ong=","-5"]}
{"db":3,"name":"h","type":"hash","value":{"f":"base64:/wA=","=1+1":"-7"}}
{"db":4,"name":"z","type":"zset","value":{"m":0.5,"n":"inf","o":3}}
{"db":4,"name":"t","type":"hash","value":{"a":"1","b":"2"},"field_expires_at_ms":{"b":1005}}
"#;
    assert_eq!(String::from_utf8(written).unwrap(), expected);
}

#[test]
fn a_row_an_element() {
    let scratch = Scratch::new();
    let path = scratch.write("dump.rdb", &shapes());
    let (csv, _) = all(&path, What::Elements(ElementText::Csv));
    let expected = "dump,3,s,,string,,0,,,\"a\u{1b}[31m\u{9b}\"\"\n\",,,
dump,3,l\\xff,bP8=,list,4102444800000,0,,,base64:YmFzZTY0Ong=,,,
dump,3,l\\xff,bP8=,list,4102444800000,1,,,-5,,,
dump,3,h,,hash,,0,f,,base64:/wA=,,,
dump,3,h,,hash,,1,base64:PTErMQ==,,-7,,,
dump,4,z,,zset,,0,,m,,0.5,,
dump,4,z,,zset,,1,,n,,inf,,
dump,4,z,,zset,,2,,o,,3,,
dump,4,t,,hash,,0,a,,1,,,
dump,4,t,,hash,,1,b,,2,,,1005
";
    assert_eq!(String::from_utf8(csv).unwrap(), expected);
    let (ndjson, _) = all(&path, What::Elements(ElementText::Ndjson));
    let rows = lines(&ndjson);
    assert_eq!(rows.len(), 10);
    assert_eq!(rows[9]["field_expires_at_ms"], 1005);
    assert_eq!(rows[6]["score"], "inf");
    assert_eq!(rows[3]["value"], "base64:/wA=");
}

#[test]
fn filters_choose_and_databases_are_selected_once() {
    let scratch = Scratch::new();
    let path = scratch.write("dump.rdb", &shapes());
    let filter = Filter { databases: vec![4], ..Filter::default() };
    let (written, told) = exported(&path, What::Delete, &filter, &Options::default());
    assert_eq!(String::from_utf8(written).unwrap(), "SELECT 4\nUNLINK \"z\"\nUNLINK \"t\"\n");
    assert_eq!(told.keys, 2);
}

#[test]
fn what_the_target_does_not_know_is_left_out_and_said() {
    let scratch = Scratch::new();
    let path = scratch.write("dump.rdb", &shapes());
    for what in [What::Native(Target::Redis7_0), What::Restore(Target::Redis7_0)] {
        let (written, told) = all(&path, what);
        assert!(sentences(&told).contains("key \"t\": "), "{}", sentences(&told));
        assert_eq!(told.errors.len(), 1);
        assert!(commands(&written).iter().all(|command| command.get(1).is_none_or(|name| name != b"t")));
    }
    let (written, told) = all(&path, What::Native(Target::Redis7_4));
    assert!(told.errors.is_empty());
    let expire = [&b"HPEXPIREAT"[..], b"t", b"1005", b"FIELDS", b"1", b"b"].map(<[u8]>::to_vec);
    assert!(commands(&written).contains(&expire.to_vec()));
}

#[test]
fn a_value_that_is_damaged_inside_costs_one_key() {
    let scratch = Scratch::new();
    let mut packed = Listpack::new().string("a").string("1").string("b").string("2").build();
    let at = packed.len() - 4;
    packed[at] = 0xf5;
    let bomb = Lzf::new().literal("abc").back(3, 200);
    let dump = Rdb::redis(10)
        .key(16, "damaged", |b| b.string(&packed))
        .key(0, "beyond the limit", |b| b.lzf_claim(1 << 20, 64 << 20, vec![0; 1 << 20]))
        .key(0, "sound", |b| b.lzf(&bomb))
        .eof();
    let (written, told) = all(&scratch.write("dump.rdb", &dump), What::Objects);
    let objects = lines(&written);
    assert_eq!(objects[0]["value"], serde_json::json!({"a": "1"}));
    assert_eq!(objects[0]["is_complete"], false);
    assert_eq!(objects[1]["value"], Value::Null);
    assert_eq!(objects[2]["value"].as_str().unwrap().len(), bomb.plain().len());
    assert_eq!(told.errors.len(), 2, "{}", sentences(&told));
    assert!(sentences(&told).contains("67108864 is beyond what this program can hold"), "{}", sentences(&told));
}

#[test]
fn hashes_with_templates_have_their_names() {
    for (file, field) in [("hash_template_refs_v15.rdb", "array"), ("hash_template_inline_v15.rdb", "array:strings")] {
        let (written, told) = all(&Path::new("fixtures").join(file), What::Objects);
        assert!(told.errors.is_empty(), "{}", sentences(&told));
        let objects = lines(&written);
        let hash = objects.iter().find(|object| object["name"] == field).expect("the key");
        let fields: Vec<&String> = hash["value"].as_object().unwrap().keys().collect();
        assert!(fields.len() >= 2 && fields.iter().all(|name| !name.is_empty()), "{hash}");
    }
}

#[test]
fn large_keys_come_in_chunks() {
    let scratch = Scratch::new();
    let huge = vec![b'x'; 3 << 20];
    let dump = Rdb::redis(9)
        .key(1, "list", |b| (0..2000).fold(b.len(2000), |b, at| b.string(at.to_string())))
        .key(2, "set", |b| b.len(3).string("a").string(&huge).string("b"))
        .eof();
    let (written, _) = all(&scratch.write("dump.rdb", &dump), What::Native(Target::Redis7_0));
    let commands = commands(&written);
    let words: Vec<usize> = commands.iter().map(Vec::len).collect();
    assert_eq!(words, [2, 514, 514, 514, 466, 3, 3, 3]);
    assert_eq!(commands[6][2], huge);
}

#[test]
fn a_value_too_large_to_be_held_is_written_whole() {
    let scratch = Scratch::new();
    let text = vec![b'\xff'; 9 << 20];
    let dump = Rdb::redis(9)
        .key(0, "before", |b| b.string("x"))
        .key(0, "string", |b| b.string(&text))
        .key(1, "list", |b| (0..6).fold(b.len(6), |b, _| b.string(&text[..2 << 20])))
        .select_db(0)
        .key(0, "after", |b| b.string("x"))
        .eof();
    let path = scratch.write("dump.rdb", &dump);
    for what in EVERY {
        let (plain, told) = all(&path, what);
        assert!(told.errors.is_empty(), "{}", sentences(&told));
        for (threads, segment_bytes) in [(1, 1 << 20), (2, 1 << 20), (3, 100_000)] {
            let mut options = Options::default();
            (options.threads, options.segment_bytes) = (threads, segment_bytes);
            assert!(exported(&path, what, &Filter::default(), &options).0 == plain, "{what:?}, {threads} threads");
        }
        if what == What::Objects {
            let objects = lines(&plain);
            assert_eq!(bytes(objects[1]["value"].as_str().unwrap()), text);
            assert_eq!(objects[2]["value"].as_array().unwrap().len(), 6);
            assert_eq!(objects.len(), 4);
        }
    }
}

// ---- columns

#[cfg(feature = "columnar")]
#[test]
fn columns_hold_what_rows_of_json_say() {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
    use arrow_array::{Array, RecordBatch};
    use bigkeys::output::values::{ElementColumns, ElementFile};
    let names = ["dump".to_owned()];
    let write = |form: &str, path: &Path, options: &Options| {
        let mut written = Vec::new();
        let to: &mut (dyn Write + Send) = &mut written;
        let file = if form == "arrow" { ElementFile::arrow(to) } else { ElementFile::parquet(to) };
        let file = Arc::new(Mutex::new(file.expect("memory")));
        export_all(&[path.into()], &Filter::default(), options, &Arc::default(), |_| {
            ElementColumns::new(&names, file.clone())
        })
        .expect("the dump can be opened");
        let file = Arc::into_inner(file).expect("no other").into_inner().expect("no panic");
        file.finish(&names).expect("memory");
        written
    };
    let bytes_of = |batch: &RecordBatch, column: &str, row: usize| {
        let column = batch.column_by_name(column).expect("a column").as_binary::<i32>();
        (!column.is_null(row)).then(|| column.value(row).to_vec())
    };
    for fixture in fixtures::sound() {
        let (ndjson, _) = all(&fixture.path, What::Elements(ElementText::Ndjson));
        let rows = lines(&ndjson);
        let mut options = Options::default();
        (options.threads, options.segment_bytes) = (3, 100);
        for form in ["arrow", "parquet"] {
            let written = write(form, &fixture.path, &Options::default());
            assert!(written == write(form, &fixture.path, &options), "{} {form}", fixture.name);
            let batches: Vec<RecordBatch> = if form == "arrow" {
                let reader = arrow_ipc::reader::FileReader::try_new(std::io::Cursor::new(written), None);
                reader.expect("a file").map(|batch| batch.expect("a batch")).collect()
            } else {
                let reader =
                    parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(written_bytes(&written));
                reader.expect("a file").build().expect("a reader").map(|batch| batch.expect("a batch")).collect()
            };
            let mut expected = rows.iter();
            for batch in &batches {
                for row in 0..batch.num_rows() {
                    let json = expected.next().expect("as many rows");
                    for column in ["field", "member", "value"] {
                        let text = json.get(column).map(|text| bytes(text.as_str().unwrap()));
                        assert_eq!(bytes_of(batch, column, row), text, "{} {form} {json}", fixture.name);
                    }
                    let name = json.get("name_base64").map_or_else(
                        || json["name"].as_str().unwrap().as_bytes().to_vec(),
                        |name| BASE64_STANDARD.decode(name.as_str().unwrap()).unwrap(),
                    );
                    assert_eq!(bytes_of(batch, "name", row), Some(name));
                    let number =
                        |column: &str| batch.column_by_name(column).unwrap().as_primitive::<UInt64Type>().value(row);
                    assert_eq!(
                        (number("db"), number("index")),
                        (json["db"].as_u64().unwrap(), json["index"].as_u64().unwrap())
                    );
                    let expires = batch.column_by_name("expires_at_ms").unwrap().as_primitive::<Int64Type>();
                    let expires = (!expires.is_null(row)).then(|| expires.value(row));
                    assert_eq!(expires, json.get("expires_at_ms").and_then(Value::as_i64));
                    let scores = batch.column_by_name("score").unwrap().as_primitive::<Float64Type>();
                    if let Some(score) = json.get("score").and_then(Value::as_f64) {
                        // The parser of JSON may miss a number's last bit.
                        let difference = (scores.value(row) - score).abs();
                        assert!(difference <= score.abs() * 2.0 * f64::EPSILON, "{json}");
                    }
                }
            }
            assert!(expected.next().is_none(), "{} {form}", fixture.name);
        }
    }
}

#[cfg(feature = "columnar")]
fn written_bytes(written: &[u8]) -> fs::File {
    let mut file = tempfile::tempfile().expect("a scratch file");
    file.write_all(written).expect("the file takes it");
    file
}

// ---- servers

/// The commands that bytes of the protocol are.
fn commands(mut bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
    fn number<'b>(bytes: &mut &'b [u8], lead: u8) -> usize {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a line");
        assert_eq!(bytes[0], lead);
        let number = std::str::from_utf8(&bytes[1..end]).expect("digits").parse().expect("a number");
        let all: &'b [u8] = bytes;
        *bytes = &all[end + 2..];
        number
    }
    let mut commands = Vec::new();
    while !bytes.is_empty() {
        let words = number(&mut bytes, b'*');
        let command = (0..words).map(|_| {
            let length = number(&mut bytes, b'$');
            let word = bytes[..length].to_vec();
            assert_eq!(&bytes[length..length + 2], b"\r\n");
            bytes = &bytes[length + 2..];
            word
        });
        commands.push(command.collect());
    }
    commands
}

const BATCH_BYTES: usize = 4 << 20;

fn load(server: &mut Server, written: &[u8]) {
    for command in commands(written) {
        server.queue(&command);
        if server.queued_bytes() > BATCH_BYTES {
            server.answers();
        }
    }
    server.answers();
}

fn digest(server: &mut Server) -> String {
    String::from_utf8(server.ask(&["DEBUG", "DIGEST"]).into_bytes()).expect("hexadecimal digits")
}

/// Settings under which keys load in reasonable time and as they were: packed sorted sets keep no score of -0, and those of a
/// hundred thousand elements are slow to build.
const PACKING: [(&str, &str); 4] = [
    ("hash-max-listpack-entries", "128"),
    ("zset-max-listpack-entries", "0"),
    ("set-max-intset-entries", "512"),
    ("list-max-listpack-size", "-2"),
];

/// The digest of an empty server.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// What a server that holds a dump says after its values were written out and loaded again is what it said before.
fn loads_the_same(server: &mut Server, dump: &Path, target: Target, name: &str) {
    let before = digest(server);
    for (setting, value) in PACKING {
        server.set(setting, value);
    }
    if target >= Target::Redis7_2 {
        // A set packed without a limit takes as long as it is for each member that is added.
        server.set("set-max-listpack-entries", "128");
    }
    // Keys that have expired do not come back.
    let filter = Filter {
        expired: bigkeys::analysis::filter::Expired::Skip,
        now_ms: Some(jiff::Timestamp::now().as_millisecond()),
        ..Filter::default()
    };
    for what in [What::Native(target), What::Restore(target)] {
        let (written, told) = exported(dump, what, &filter, &Options::default());
        assert!(told.errors.is_empty(), "{name} {what:?}: {}", sentences(&told));
        server.ask(&["FLUSHALL"]);
        assert_eq!(digest(server), NOTHING);
        load(server, &written);
        assert_eq!(digest(server), before, "{name} {what:?}");
    }
}

#[test]
fn fixtures_load_as_commands() {
    let Some(program) = server::program(Kind::Redis) else { return server::skip(Kind::Redis) };
    let mut loaded = 0;
    for fixture in fixtures::sound() {
        let is_loaded = std::panic::catch_unwind(|| {
            let mut command = std::process::Command::new(&program);
            command.args(["--enable-debug-command", "local"]);
            Server::start_as(Kind::Redis, command, Some(&fixture.path), &[])
        });
        let Ok(mut server) = is_loaded else { continue };
        // No command adds a member whose score is no number; and an expiry of -1 is none to this server.
        if ["zset_text_nan_v01.rdb", "opcode_expire_idle_freq_v09.rdb"].contains(&fixture.name.as_str()) {
            continue;
        }
        loads_the_same(&mut server, &fixture.path, Target::Redis7_0, &fixture.name);
        loaded += 1;
    }
    assert!(loaded > 60, "only {loaded} fixtures were loaded");
}

#[test]
fn random_keys_load_as_commands() {
    for (kind, target, keys) in [(Kind::Redis, Target::Redis7_0, 20_000), (Kind::Valkey, Target::Valkey9_1, 20_000)] {
        let Some(mut server) = server::require(kind) else { continue };
        crate::support::fill::fill(&mut server, keys, 17);
        server.ask(&["SAVE"]);
        let scratch = Scratch::new();
        let dump = scratch.path("dump.rdb");
        fs::copy(server.dump(), &dump).expect("a copy");
        loads_the_same(&mut server, &dump, target, &format!("{kind:?}"));
    }
}
