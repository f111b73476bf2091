//! Published rules about big keys.

use bigkeys::report::Rules;
use clap::builder::{PossibleValuesParser, TypedValueParser};

pub(crate) fn rules_parser() -> impl TypedValueParser<Value = Rules> {
    PossibleValuesParser::new(Rules::ALL.map(Rules::name)).try_map(|name| name.parse::<Rules>())
}
