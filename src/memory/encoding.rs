//! How servers hold values.

/// How a value is held by the server that loaded it, as `OBJECT ENCODING` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each name is the server's own")]
pub enum Encoding {
    Int,
    Embstr,
    Raw,
    Intset,
    Ziplist,
    Listpack,
    ListpackEx,
    Hashtable,
    Skiplist,
    Quicklist,
    Stream,
    SlicedArray,
    TemplateListpack,
    TemplateArray,
    /// Held by a module, or in a way that is not modelled.
    Other,
}

impl Encoding {
    /// The name that `OBJECT ENCODING` answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Embstr => "embstr",
            Self::Raw => "raw",
            Self::Intset => "intset",
            Self::Ziplist => "ziplist",
            Self::Listpack => "listpack",
            Self::ListpackEx => "listpackex",
            Self::Hashtable => "hashtable",
            Self::Skiplist => "skiplist",
            Self::Quicklist => "quicklist",
            Self::Stream => "stream",
            Self::SlicedArray => "sliced-array",
            Self::TemplateListpack => "template-listpack",
            Self::TemplateArray => "template-array",
            Self::Other => "other",
        }
    }
}
