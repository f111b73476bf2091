//! The server whose memory is modelled.

use bigkeys::memory::{Allocator, Target};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

#[derive(Debug, Args)]
#[command(next_help_heading = "Memory model")]
pub(crate) struct MemoryArgs {
    /// The server that would load the dump, instead of the one that wrote it
    #[arg(long, value_name = "SERVER", value_parser = target_parser())]
    pub(crate) target: Option<Target>,

    /// The allocator of that server
    #[arg(long, value_name = "NAME", value_parser = allocator_parser(), default_value = "jemalloc")]
    pub(crate) allocator: Allocator,
}

pub(crate) fn target_parser() -> impl TypedValueParser<Value = Target> {
    PossibleValuesParser::new(Target::ALL.map(Target::name)).try_map(|name| name.parse::<Target>())
}

fn allocator_parser() -> impl TypedValueParser<Value = Allocator> {
    PossibleValuesParser::new(Allocator::ALL.map(Allocator::name)).try_map(|name| name.parse::<Allocator>())
}
