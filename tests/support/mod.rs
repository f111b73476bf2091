//! What the tests share. Each test binary compiles all of it and uses a part.
#![allow(dead_code, unreachable_pub)]

pub mod assembler;
pub mod damage;
pub mod endless;
pub mod fill;
pub mod fixtures;
pub mod memory_fill;
pub mod more_servers;
pub mod old_dump;
pub mod python;
pub mod random;
pub mod ranges;
pub mod schema;
pub mod server;
pub mod skipped;
pub mod tools;
pub mod values;
pub mod ways;
pub mod web;
