//! With whom something is shared: each partner with the people there, as the command line has them in a row.

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::actions::share;

/// Partners, each with its recipients: those that stand behind it, or all of them where it is the only one.
#[derive(Debug)]
pub(in crate::cli) struct To(pub(super) Vec<share::To>);

#[derive(Debug, Args)]
struct Row {
    /// The partner's name or id; repeat it for more, all of which get it or none.
    #[arg(long = "partner", value_name = "NAME", required = true)]
    partners: Vec<String>,
    /// Somebody there whom it is for, as the partner knows them; repeat it for more. With several partners,
    /// those behind a partner belong to it.
    #[arg(long = "recipient", value_name = "NAME")]
    recipients: Vec<String>,
}

impl FromArgMatches for To {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let row = Row::from_arg_matches(matches)?;
        let places = |id| matches.indices_of(id).into_iter().flatten();
        let starts: Vec<usize> = places("partners").collect();
        let mut to: Vec<share::To> = row.partners.into_iter().map(alone).collect();
        for (place, recipient) in places("recipients").zip(row.recipients) {
            let behind = match starts.len() {
                1 => 1,
                _ => starts.partition_point(|start| *start < place),
            };
            match to[..behind].last_mut() {
                Some(to) => to.recipients.push(recipient),
                None => return Err(stray(&recipient)),
            }
        }
        Ok(Self(to))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for To {
    fn augment_args(command: Command) -> Command {
        Row::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Row::augment_args_for_update(command)
    }
}

const fn alone(partner: String) -> share::To {
    share::To {
        partner,
        recipients: Vec::new(),
    }
}

fn stray(recipient: &str) -> clap::Error {
    let message = format!(
        "'--recipient {recipient}' stands before the first of several partners: put it behind the '--partner' \
         whose recipient it is"
    );
    clap::Error::raw(ErrorKind::ArgumentConflict, message)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        to: To,
        #[arg(long)]
        wait: bool,
    }

    fn parsed(line: &str) -> Result<Vec<(String, Vec<String>)>, clap::Error> {
        let line = Line::try_parse_from(["x"].into_iter().chain(line.split(' ')))?;
        let to = line.to.0.into_iter();
        Ok(to.map(|to| (to.partner, to.recipients)).collect())
    }

    fn to(partner: &str, recipients: &[&str]) -> (String, Vec<String>) {
        let recipients = recipients.iter().map(|&name| name.to_owned());
        (partner.to_owned(), recipients.collect())
    }

    /// OE-41
    #[test]
    fn recipients_belong_to_the_partner_before_them() {
        let line = "--partner south --recipient Kim --wait --recipient Sol --partner=court --recipient Lee";
        let expected = [to("south", &["Kim", "Sol"]), to("court", &["Lee"])];
        assert_eq!(parsed(line).unwrap(), expected);
        let line = "--partner south --partner court --recipient Lee";
        let expected = [to("south", &[]), to("court", &["Lee"])];
        assert_eq!(parsed(line).unwrap(), expected);
    }

    #[test]
    fn single_partner_may_stand_anywhere() {
        let expected = [to("south", &["Kim", "Sol"])];
        for line in [
            "--partner south --recipient Kim --recipient Sol",
            "--recipient Kim --partner south --recipient Sol",
            "--recipient Kim --recipient Sol --partner south",
        ] {
            assert_eq!(parsed(line).unwrap(), expected, "{line}");
        }
        assert_eq!(parsed("--partner south").unwrap(), [to("south", &[])]);
    }

    #[test]
    fn recipient_before_the_first_of_several_partners_is_refused_by_name() {
        let line = "--recipient Kim --partner south --recipient Sol --partner court";
        let refused = parsed(line).unwrap_err().to_string();
        assert!(refused.contains("--recipient Kim"), "{refused}");
        assert!(refused.contains("before the first"), "{refused}");
        assert!(refused.contains("put it behind"), "{refused}");
    }

    #[test]
    fn partner_has_to_be_named() {
        let refused = parsed("--recipient Kim").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::MissingRequiredArgument);
    }
}
