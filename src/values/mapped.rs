//! Keys written as something else than they are: with stand-ins for their names, and for fields, members and other texts of
//! their values. What is decoded stays as it is; the form within sees the stand-ins.

use super::fault::Fault;
use super::form::{Form, Inherited, KeyEntry};
use super::text_map::TextMap;
use super::value::Value;
use crate::rdb::Context;
use crate::rdb::packed::Text;

/// Which texts of a key have stand-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// Its name.
    Name,
    /// Its name and all texts of its value.
    All,
}

/// A form whose texts have stand-ins, if there is a map.
#[derive(Clone, Debug)]
pub struct Mapped<F> {
    form: F,
    map: Option<(TextMap, Mapping)>,
}

impl<F> Mapped<F> {
    /// A form with stand-ins for texts.
    pub fn new(form: F, map: Option<(TextMap, Mapping)>) -> Self {
        Self { form, map }
    }
}

impl<F: Form> Form for Mapped<F> {
    const NEEDS_LEAD: bool = F::NEEDS_LEAD;

    fn piece(&self) -> Self {
        Self::new(self.form.piece(), self.map.clone())
    }

    fn following(&self) -> Self {
        Self::new(self.form.following(), self.map.clone())
    }

    fn add(&mut self, key: &KeyEntry<'_>, value: &Value<'_>) -> Result<(), Fault> {
        let Some((map, mapping)) = &self.map else { return self.form.add(key, value) };
        let name = map.of(Text::Bytes(key.name));
        let key = KeyEntry { name: &name, ..*key };
        let value = if *mapping == Mapping::All { value.mapped(map) } else { *value };
        self.form.add(&key, &value)
    }

    fn between(&mut self, offset: u64, stored: &[u8], context: &Context) {
        self.form.between(offset, stored, context);
    }

    fn join(&mut self, piece: Self, inherited: Inherited) {
        self.form.join(piece.form, inherited);
    }

    fn flush(&mut self) {
        self.form.flush();
    }

    fn held_bytes(&self) -> u64 {
        self.form.held_bytes()
    }
}
