//! `bigkeys completions`: completion scripts, printed or put where the shell finds them.

use std::env;
use std::fs;
use std::path::PathBuf;

use clap::builder::ValueHint;
use clap::{Args, Command};
use clap_complete::Shell;

use super::exit::{Exit, fail, print, say};
use super::sink::Sink;
use super::verb::DEFAULT;

const EXAMPLES: &str = "\
Examples:
  bigkeys completions bash --install
  bigkeys completions zsh -o ~/.zfunc/_bigkeys
  bigkeys completions fish | source";

/// Print or install a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,

    /// Write the script to where the shell looks for the user's completions
    #[arg(long, conflicts_with = "output")]
    install: bool,

    /// Write the script to this file; missing folders are created
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &CompletionsArgs, program: &Command) -> Exit {
    let mut script = Vec::new();
    // Those of the default command can be typed without it.
    let default = program.find_subcommand(DEFAULT).into_iter().flat_map(Command::get_arguments);
    let options = default.filter(|argument| !argument.is_positional() && !argument.is_hide_set()).cloned();
    clap_complete::generate(args.shell, &mut visible(program).args(options), "bigkeys", &mut script);
    if !args.install && args.output.is_none() {
        return print(&script);
    }
    match write(args, &script) {
        Ok(()) => Exit::Sound,
        Err(sentence) => fail(&sentence),
    }
}

/// # Errors
/// The sentence that says why the script could not be written.
fn write(args: &CompletionsArgs, script: &[u8]) -> Result<(), String> {
    let path = match &args.output {
        Some(path) => path.clone(),
        None => place(args.shell)?,
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{}: could not create it: {error}", folder.display()))?;
    }
    let mut sink = Sink::open(Some(&path))?;
    sink.write_with(|to| to.write_all(script))?;
    sink.finish()?;
    if args.install {
        say(&format!("wrote {}; {}", path.display(), last_step(args.shell)));
    }
    Ok(())
}

/// Where a shell looks for completions of the user.
///
/// # Errors
/// A sentence if there is no such place.
fn place(shell: Shell) -> Result<PathBuf, String> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = |below: &str| set("HOME").map(|home| home.join(below));
    let data = || set("XDG_DATA_HOME").or_else(|| home(".local/share"));
    let config = || set("XDG_CONFIG_HOME").or_else(|| home(".config"));
    let place = match shell {
        Shell::Bash => set("BASH_COMPLETION_USER_DIR")
            .or_else(|| data().map(|data| data.join("bash-completion")))
            .map(|folder| folder.join("completions/bigkeys")),
        Shell::Zsh => data().map(|data| data.join("zsh/site-functions/_bigkeys")),
        Shell::Fish => config().map(|config| config.join("fish/completions/bigkeys.fish")),
        Shell::Elvish => config().map(|config| config.join("elvish/lib/bigkeys.elv")),
        _ => return Err(format!("{shell} has no folder for completions: use -o FILE, and load that in your profile")),
    };
    place.ok_or_else(|| "there is no home directory to install completions in: use -o FILE".to_owned())
}

/// What makes a shell use what was installed.
fn last_step(shell: Shell) -> &'static str {
    match shell {
        Shell::Zsh => "its folder must be in $fpath before compinit runs; then start a new shell",
        Shell::Elvish => "put `use bigkeys` into rc.elv",
        _ => "start a new shell to use it",
    }
}

/// A command without its hidden arguments, which nobody wants completed.
fn visible(command: &Command) -> Command {
    let mut shown = Command::new(command.get_name().to_owned());
    if let Some(about) = command.get_about() {
        shown = shown.about(about.clone());
    }
    if let Some(version) = command.get_version() {
        shown = shown.version(version.to_owned());
    }
    // Its own flag is among the arguments.
    shown
        .disable_version_flag(true)
        .args(command.get_arguments().filter(|argument| !argument.is_hide_set()).cloned())
        .subcommands(command.get_subcommands().filter(|command| !command.is_hide_set()).map(visible))
}
