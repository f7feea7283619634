//! The settings as flags, made from the one table that they also have in the environment and in the file.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::config::KEYS;

/// The settings that the command line gives; the database's file is a flag of every command, and not among them.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Keys with their values.
    pub values: Vec<(&'static str, String)>,
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        KEYS.iter().filter(|setting| setting.key != "db").fold(command, |command, setting| {
            let mut help = format!("{} [env: {}]", setting.meaning, setting.variable);
            if !setting.default.is_empty() {
                help.push_str(&format!(" [default: {}]", setting.default));
            }
            let arg = Arg::new(setting.key).long(setting.flag).value_name(setting.value).help(help);
            // A list may be given in parts.
            let is_list = matches!(setting.value, "LIST" | "NAME=URL");
            command.arg(if is_list { arg.action(ArgAction::Append) } else { arg })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut given = Self::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for setting in KEYS.iter().filter(|setting| setting.key != "db") {
            if let Some(parts) = matches.get_many::<String>(setting.key) {
                self.values.push((setting.key, parts.cloned().collect::<Vec<_>>().join(" ")));
            }
        }
        Ok(())
    }
}
