//! Keys of dumps as a dump that servers load: those that were asked for, from one dump or several, into one or one a master of
//! a cluster.
//!
//! Records are copied as they are stored, on every core and written in the order of the dumps; only what the format that is
//! written does not know is encoded anew ([`Format`]). Without filters, function libraries and the data that modules keep
//! outside of keys are copied too. Hints at sizes and slots are left out, since they would no longer be true.

mod clashes;
mod copy;
mod encode;
mod format;
mod plan;
mod slots;
mod stream;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use format::Format;
pub use plan::Plan;
pub use slots::Masters;

use self::clashes::Clashes;
use self::copy::{Copied, Copy};
use crate::analysis::filter::Filter;
use crate::engine::{Dump, Exported, Options, Progress, export_with_starts};
use crate::error::{Error, ErrorKind, Quoted};
use crate::input::shown;
use crate::rdb::Context;
use crate::rdb::lead::{Part, parts};
use crate::rdb::packed::Text;
use crate::rdb::source::Slice;
use crate::rdb::string::with_text;
use crate::rdb::types::opcode;
use crate::rdb::writer::{Writer, put_string};
use crate::values::{Ordered, OrderedRow, Take};

/// Keys that were left out are told one by one up to this number.
const LISTED_MAX: usize = 100;

/// The auxiliary fields that stay true of some of the keys.
const AUX_FIELDS: [&str; 4] = ["redis-ver", "valkey-ver", "redis-bits", "ctime"];

/// What came of it.
#[derive(Debug, Default)]
pub struct Extracted {
    /// Whether anything was written: not if none of the dumps begins as one does.
    pub is_written: bool,
    /// Keys that were written, by output.
    pub keys: Vec<u64>,
    /// Bytes that were written, by output.
    pub bytes: Vec<u64>,
    /// What is worth knowing and no damage.
    pub notes: Vec<String>,
    /// What was wrong with the dumps, and which keys were left out.
    pub errors: Vec<Error>,
}

/// Writes the keys of the dumps that pass `wanted` to `outputs`, as many as [`Plan::outputs`] says. [`Options::question`] is not
/// looked at.
///
/// # Errors
/// As [`crate::engine::export_all`], and [`ErrorKind::Io`] if an output cannot be written.
pub fn extract<W: Write + Send>(
    dumps: &[Dump],
    wanted: &Filter,
    plan: &Plan,
    options: &Options,
    progress: &Arc<Progress>,
    outputs: Vec<W>,
) -> Result<Extracted, Error> {
    let clashes = Clashes::find(dumps, wanted, plan, options, progress)?;
    let clashing = Mutex::new(clashes);
    let names: Vec<String> = dumps.iter().map(|dump| shown(&dump.path)).collect();
    let copies_all = wanted.is_of_all() && !wanted.names_databases();
    let output = Mutex::new(Output {
        plan,
        names: &names,
        copies_all,
        format: plan.format,
        keys: vec![0; outputs.len()],
        writers: outputs.into_iter().map(Writer::new).collect(),
        begun: 0,
        libraries: BTreeMap::new(),
        module_data: Vec::new(),
        uncopied: Copied::default(),
        uncopied_records: 0,
        errors: Vec::new(),
        unlisted: 0,
        failed: None,
    });
    let take: Take<'_, Copied> = Arc::new(Mutex::new(|row: OrderedRow<'_, Copied>| {
        let mut output = lock(&output);
        output.key(row, &mut lock(&clashing));
        if output.failed.is_some() {
            progress.cancel();
        }
    }));
    let start = |context: &Context, stored: Option<&[u8]>| lock(&output).start(context, stored);
    let may_clash = |name: &[u8]| lock(&clashing).has_name(name);
    let may_clash = &may_clash;
    let exported = export_with_starts(dumps, wanted, options, progress, start, |context| {
        let format = lock(&output).format.unwrap_or_else(|| Format::of_dump(context));
        Ordered::new(Copy { format, may_clash }, take.clone())
    });
    drop(take);
    let output = output.into_inner().unwrap_or_else(PoisonError::into_inner);
    output.finish(exported)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where records go, in their order.
struct Output<'p, W> {
    plan: &'p Plan,
    names: &'p [String],
    /// Whether all keys were asked for, and with them what is not in keys.
    copies_all: bool,
    /// Known once a dump has begun.
    format: Option<Format>,
    writers: Vec<Writer<W>>,
    keys: Vec<u64>,
    /// How many dumps have begun.
    begun: usize,
    /// Function libraries that were written, by name.
    libraries: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What modules keep outside of keys, as it was written.
    module_data: Vec<u8>,
    /// What was left out behind the first key.
    uncopied: Copied,
    /// Function libraries and data of modules that were left out, since keys were chosen.
    uncopied_records: u64,
    errors: Vec<Error>,
    unlisted: u64,
    failed: Option<io::Error>,
}

impl<W: Write> Output<'_, W> {
    /// A dump begins, and with the first one the output.
    fn start(&mut self, context: &Context, stored: Option<&[u8]>) {
        let is_first = self.format.is_none() || self.begun == 0;
        let format = *self.format.get_or_insert_with(|| Format::of_dump(context));
        self.begun += 1;
        if is_first {
            let mut start = format.magic().into_bytes();
            for (name, value) in context.aux.fields.iter().filter(|(name, _)| AUX_FIELDS.contains(&name.as_str())) {
                if format.has_aux() {
                    start.push(opcode::AUX);
                    put_string(name.as_bytes(), &mut start);
                    put_string(value.as_bytes(), &mut start);
                }
            }
            self.put_to_all(&start);
        }
        let records = stored.and_then(|stored| stored.get(crate::rdb::context::MAGIC_BYTES..));
        let Some(records) = records else {
            return self.refuse("its function libraries and module data take too much memory to be copied".to_owned());
        };
        let (mut functions, mut module_data) = (Vec::new(), Vec::new());
        let read = parts(records, context, |part| match part {
            Part::Function(stored) => functions.push(stored),
            Part::ModuleAux(stored) => module_data.extend_from_slice(stored),
            _ => {}
        });
        if read.is_err() {
            return self.refuse("its function libraries and module data could not be read".to_owned());
        }
        if !self.copies_all {
            self.uncopied_records += functions.len() as u64 + u64::from(!module_data.is_empty());
            return;
        }
        for function in functions {
            self.function(format, function);
        }
        if module_data.is_empty() || module_data == self.module_data {
            return;
        }
        if !format.has_access() {
            self.refuse(format!("its modules keep data outside of keys, which {format} does not know"));
        } else if self.module_data.is_empty() && is_first {
            self.put_to_all(&module_data);
            self.module_data = module_data;
        } else {
            self.refuse("its modules keep data outside of keys, which is not the first dump's: left out".to_owned());
        }
    }

    /// Copies a function library, unless it was copied from another dump.
    fn function(&mut self, format: Format, stored: &[u8]) {
        let mut source = Slice::new(stored, 1);
        let mut code = Vec::new();
        let read = with_text(&mut source, |text| {
            if let Text::Bytes(bytes) = text {
                code = bytes.to_vec();
            }
        });
        let first_line = code.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let name = first_line.split(u8::is_ascii_whitespace).find_map(|word| word.strip_prefix(b"name="));
        let name = name.unwrap_or_default().to_vec();
        if stored.first() != Some(&opcode::FUNCTION_2) || read.is_err() || !format.has_functions() {
            return self
                .refuse(format!("the function library {} is left out: {format} does not have it", Quoted(&name)));
        }
        match self.libraries.get(&name) {
            Some(known) if *known == code => {}
            Some(_) => self.refuse(format!("another function library {} is in the output already", Quoted(&name))),
            None => {
                self.put_to_all(stored);
                self.libraries.insert(name, code);
            }
        }
    }

    fn put_to_all(&mut self, bytes: &[u8]) {
        for writer in &mut self.writers {
            if let Err(error) = writer.put(bytes) {
                self.failed.get_or_insert(error);
            }
        }
    }

    /// What is not copied of the dump that began last.
    fn refuse(&mut self, what: String) {
        let name = self.names.get(self.begun.saturating_sub(1)).cloned().unwrap_or_default();
        self.tell(Error::new(name, ErrorKind::Refused(what)));
    }

    fn tell(&mut self, error: Error) {
        if self.errors.len() < LISTED_MAX { self.errors.push(error) } else { self.unlisted += 1 }
    }

    fn key(&mut self, OrderedRow { db, row, bytes }: OrderedRow<'_, Copied>, clashes: &mut Clashes) {
        self.uncopied.member_expiries += row.member_expiries;
        self.uncopied.module_data += row.module_data;
        let Some(key) = row.key else { return };
        let db = self.plan.database(db);
        let mut refused = |what: String| {
            let name =
                usize::try_from(key.dump).ok().and_then(|dump| self.names.get(dump)).cloned().unwrap_or_default();
            let error = Error::new(name, ErrorKind::Refused(format!("at byte {}{what}", key.offset)));
            if self.errors.len() < LISTED_MAX { self.errors.push(error) } else { self.unlisted += 1 }
        };
        if let Some(name) = key.name.filter(|name| clashes.is_taken(name, db)) {
            let name = Quoted(&name);
            return refused(format!(", key {name}: a key of this name is in database {db} of the output already"));
        }
        let place = match &self.plan.masters {
            None => 0,
            Some(masters) => match masters.owner(key.slot) {
                Some(place) => place,
                None => return refused(format!(": the slot of the key, {}, belongs to no master", key.slot)),
            },
        };
        let Some(writer) = self.writers.get_mut(place).filter(|_| self.failed.is_none()) else { return };
        let [first, last] = bytes;
        let put = writer.select(db).and_then(|()| writer.put(first)).and_then(|()| writer.put(last));
        match (put, self.keys.get_mut(place)) {
            (Err(error), _) => self.failed = Some(error),
            (Ok(()), Some(keys)) => *keys += 1,
            (Ok(()), None) => {}
        }
    }

    /// Writes the ends.
    fn finish(mut self, exported: Result<Exported, Error>) -> Result<Extracted, Error> {
        let failed = |source| {
            let doing = "write the dump";
            Error::new("output", ErrorKind::Io { doing, source })
        };
        if let Some(source) = self.failed {
            return Err(failed(source));
        }
        let Exported { mut notes, mut errors, .. } = exported?;
        errors.append(&mut self.errors);
        let all = "all dumps";
        let mut tell = |what| errors.push(Error::new(all, ErrorKind::Refused(what)));
        if self.unlisted > 0 {
            tell(format!("{} more keys are left out", self.unlisted));
        }
        if self.uncopied.member_expiries > 0 {
            let what = "expiry times of members of sets (KeyDB), which are not copied";
            tell(format!("the dumps have {} {what}", self.uncopied.member_expiries));
        }
        if self.copies_all && self.uncopied.module_data > 0 {
            let what = "records of module data after the first key, which are not copied";
            tell(format!("the dumps have {} {what}", self.uncopied.module_data));
        }
        if self.uncopied_records > 0 {
            notes.push("function libraries and module data are copied only if all keys are".to_owned());
        }
        let has_checksum = self.format.is_some_and(Format::has_checksum);
        let is_written = self.begun > 0;
        let mut bytes = Vec::new();
        if is_written {
            for writer in self.writers {
                bytes.push(writer.end(has_checksum).map_err(failed)?);
            }
        }
        Ok(Extracted { is_written, keys: self.keys, bytes, notes, errors })
    }
}
