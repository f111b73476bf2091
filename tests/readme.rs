//! The README's commands print what it says they print. `TRYCMD=overwrite cargo test --test readme` writes it anew.

#[test]
fn the_commands_of_the_readme() {
    trycmd::TestCases::new().case("README.md");
}
