//! The command line as a whole.

use clap::CommandFactory as _;

use super::*;
use crate::actions::{self, ErrorKind};

#[test]
fn arguments_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_a_summary_and_an_example() {
    fn check(command: &clap::Command, path: &str) {
        assert!(command.get_about().is_some(), "{path} has no summary");
        for below in command.get_subcommands() {
            check(below, &format!("{path} {}", below.get_name()));
        }
        if command.has_subcommands() {
            return;
        }
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let (_, example) = help.split_once("Example:\n").expect(path);
        assert!(example.contains(path), "{path}: {example}");
    }
    check(&Cli::command(), "interdocket");
}

#[test]
fn every_example_can_be_parsed() {
    fn examples(command: &clap::Command, found: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let lines = help
            .lines()
            .filter(|line| line.starts_with("  interdocket"));
        found.extend(lines.map(|line| line.trim().to_owned()));
        command
            .get_subcommands()
            .for_each(|below| examples(below, found));
    }
    let mut found = Vec::new();
    examples(&Cli::command(), &mut found);
    assert!(found.len() > 30, "{}", found.len());
    for example in found {
        // As a shell does it, as far as the examples need.
        let line = example.split(" < ").next().unwrap_or_default();
        let parts = line.split('\'').enumerate();
        let words = parts.flat_map(|(number, part)| match number % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        });
        let parsed = Cli::try_parse_from(words);
        assert!(parsed.is_ok(), "{example}: {:?}", parsed.err());
    }
}

#[test]
fn data_and_json_are_taken_anywhere() {
    let cli = Cli::try_parse_from(["interdocket", "case", "list", "--json", "--data", "/x"]);
    let cli = cli.unwrap();
    assert!(cli.global.json);
    assert_eq!(cli.global.data, PathBuf::from("/x"));
}

#[test]
fn data_lies_where_users_expect_it() {
    let system = PathBuf::from("/var/lib/interdocket");
    if system.is_dir() {
        assert_eq!(default_data(None, Some("/home/kim".into())), system);
        return;
    }
    let home = Some(OsString::from("/home/kim"));
    assert_eq!(
        default_data(None, home.clone()),
        PathBuf::from("/home/kim/.local/share/interdocket")
    );
    assert_eq!(
        default_data(Some("/data".into()), home),
        PathBuf::from("/data/interdocket")
    );
    assert_eq!(default_data(None, None), system);
}

#[test]
fn closed_sets_are_read_and_shown_by_the_names_of_the_api() {
    use actions::partner::Kind;
    let line = |kind| ["interdocket", "partner", "enable", "South", "--send", kind];
    let Command::Partner(partner::Command::Enable { send, .. }) =
        Cli::try_parse_from(line("copy")).unwrap().command
    else {
        panic!("another command");
    };
    assert_eq!(send, [Kind::Copy]);
    assert_eq!(name(&Kind::Copy), "copy");
    assert!(Cli::try_parse_from(line("king")).is_err());
}

#[test]
fn every_kind_of_error_has_an_exit_code_that_the_help_lists() {
    let kinds = [
        ErrorKind::Invalid,
        ErrorKind::Forbidden,
        ErrorKind::NotFound,
        ErrorKind::Conflict,
        ErrorKind::Unavailable,
    ];
    let codes = kinds.map(|kind| Error::from(actions::Error::new(kind, "x")).code());
    assert_eq!(codes, [3, 4, 5, 6, 7]);
    for code in codes {
        assert!(AFTER_HELP.contains(&format!("\n  {code}    ")), "{code}");
    }
}
