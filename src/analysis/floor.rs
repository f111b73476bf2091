//! The last key of a full top list, as far as one look tells.

/// The size of the last key of a full list, and the first bytes of its name, zeros where it ends. Zeros in all of it where
/// the list is not full, which keep out nothing.
///
/// Of tiny keys half have the very size of the last one; most of them this tells from it without a call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Floor {
    pub(crate) size: u64,
    name: u128,
}

impl Floor {
    const NAME_BYTES: usize = 16;

    /// The floor of a full list that ends with a key of this size and name.
    pub(crate) fn new(size: u64, name: &[u8]) -> Self {
        let mut first = [0; Self::NAME_BYTES];
        for (to, from) in first.iter_mut().zip(name) {
            *to = *from;
        }
        Self { size, name: u128::from_be_bytes(first) }
    }

    /// Whether a key is sure to come behind the list's last one, whose whole name is asked for if the first bytes do not
    /// tell.
    #[inline(always)]
    pub(crate) fn keeps_out<'n>(self, size: u64, name: &[u8], last: impl FnOnce() -> Option<&'n [u8]>) -> bool {
        size < self.size || size == self.size && self.keeps_out_name(name, last)
    }

    #[inline(always)]
    fn keeps_out_name<'n>(self, name: &[u8], last: impl FnOnce() -> Option<&'n [u8]>) -> bool {
        let Some(first) = name.first_chunk::<{ Self::NAME_BYTES }>() else { return false };
        let first = u128::from_be_bytes(*first);
        self.name != 0 && (first > self.name || first == self.name && last().is_some_and(|last| name > last))
    }
}
