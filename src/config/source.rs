//! Where a value comes from: flag, environment, the project's table in the file, the file's top, default.

use std::{collections::HashMap, path::PathBuf};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};
use secrecy::SecretString;

use super::{
    ConfigError,
    settings::{SETTINGS, Setting},
};

/// The flags of every setting, and where the file is.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    file: Option<PathBuf>,
    values: HashMap<&'static str, (String, &'static str)>,
}

impl Args for Flags {
    fn augment_args(mut command: Command) -> Command {
        command = command.arg(
            Arg::new("config")
                .long("config")
                .env("GDPR_CONFIG")
                .value_name("FILE")
                .help("configuration file [default: gdpr-worker.toml, if it exists]")
                .global(true),
        );
        for setting in SETTINGS.iter().filter(|s| !s.secret) {
            let default = setting.default.map_or(String::new(), |d| format!(" [default: {d}]"));
            let mut arg = Arg::new(setting.key)
                .long(setting.key.replace('_', "-"))
                .env(setting.variable)
                .hide_env_values(true)
                .value_name("VALUE")
                .help_heading("Settings")
                .help(format!("{}{default}", setting.help))
                .hide_short_help(true)
                .global(true);
            if setting.bare {
                arg = arg.num_args(0..=1).require_equals(true).default_missing_value("true");
            }
            command = command.arg(arg);
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.file = matches.get_one::<String>("config").map(PathBuf::from);
        for setting in SETTINGS.iter().filter(|s| !s.secret) {
            let Some(value) = matches.get_one::<String>(setting.key) else { continue };
            let origin = match matches.value_source(setting.key) {
                Some(ValueSource::CommandLine) => "flag",
                // Compose files pass unset variables as empty ones.
                _ if value.is_empty() => continue,
                _ => "environment",
            };
            self.values.insert(setting.key, (value.clone(), origin));
        }
        Ok(())
    }
}

/// All sources together, for one project.
pub(super) struct Sources<'a> {
    flags: &'a Flags,
    tables: Vec<&'a toml::Table>,
}

/// The file, read once.
pub(super) fn read_file(flags: &Flags) -> Result<toml::Table, ConfigError> {
    let (path, required) = match &flags.file {
        Some(path) => (path.clone(), true),
        None => (PathBuf::from("gdpr-worker.toml"), false),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !required => {
            return Ok(toml::Table::new());
        }
        Err(e) => return Err(ConfigError::File { path, found: e.to_string() }),
    };
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        // The parser's full text quotes the line, which may hold a secret.
        ConfigError::File { path: path.clone(), found: e.message().to_owned() }
    })?;
    check_keys(&table, true, &path)?;
    Ok(table)
}

/// What is the same for all projects.
const SHARED: [&str; 12] = [
    "listen",
    "project",
    "redis_url",
    "redis_ca",
    "redis_replicas",
    "allow_volatile",
    "ingest_listen",
    "ingest_body_max",
    "ingest_rate",
    "ingest_backlog",
    "ingest_behind_proxy",
    "ingest_url",
];

fn check_keys(table: &toml::Table, top: bool, path: &std::path::Path) -> Result<(), ConfigError> {
    for (key, value) in table {
        if let ("projects", true, Some(projects)) = (key.as_str(), top, value.as_table()) {
            for project in projects.values() {
                let table = project.as_table().ok_or_else(|| ConfigError::File {
                    path: path.to_owned(),
                    found: "a project that is not a table: expected [projects.NAME]".to_owned(),
                })?;
                check_keys(table, false, path)?;
            }
            continue;
        }
        if !top && SHARED.contains(&key.as_str()) {
            return Err(ConfigError::File {
                path: path.to_owned(),
                found: format!(
                    "{key} stands in a project's table: it belongs at the top, it is the same for all"
                ),
            });
        }
        let plain = key.strip_suffix("_file").unwrap_or(key);
        let known = SETTINGS.iter().any(|s| s.key == key || (s.secret && s.key == plain));
        if !known {
            return Err(ConfigError::File {
                path: path.to_owned(),
                found: format!("unknown key {key}: the README lists the keys"),
            });
        }
    }
    Ok(())
}

fn text_in(table: &toml::Table, key: &str) -> Option<String> {
    table.get(key).map(|value| match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(list) => {
            list.iter().map(|item| item.as_str().unwrap_or_default()).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    })
}

impl<'a> Sources<'a> {
    pub(super) fn new(flags: &'a Flags, tables: Vec<&'a toml::Table>) -> Self {
        Self { flags, tables }
    }

    /// The text of a setting, and where it was said.
    pub(super) fn text(&self, key: &str) -> Option<(String, &'static str)> {
        let setting = SETTINGS.iter().find(|s| s.key == key)?;
        if let Some((value, origin)) = self.flags.values.get(key) {
            return Some((value.clone(), origin));
        }
        self.in_file(key)
            .map(|text| (text, "file"))
            .or_else(|| setting.default.map(|d| (d.to_owned(), "default")))
    }

    fn in_file(&self, key: &str) -> Option<String> {
        self.tables.iter().find_map(|table| text_in(table, key))
    }

    /// A secret: the variable, the file that its `…_FILE` twin names, or the same in the file.
    pub(super) fn secret(&self, key: &str) -> Result<Option<Secret>, ConfigError> {
        let setting = SETTINGS.iter().find(|s| s.key == key).filter(|s| s.secret);
        let Some(setting) = setting else { return Ok(None) };
        let from_env = std::env::var(setting.variable).ok().filter(|v| !v.is_empty());
        let file_from_env =
            std::env::var(format!("{}_FILE", setting.variable)).ok().filter(|v| !v.is_empty());
        if from_env.is_some() && file_from_env.is_some() {
            return Err(ConfigError::invalid(
                setting.variable,
                "set together with its _FILE twin",
                "only one of the two",
            ));
        }
        if let Some(value) = from_env {
            return Ok(Some(Secret { value: value.into(), file: None }));
        }
        if let Some(file) = file_from_env {
            return Secret::from_file(setting, PathBuf::from(file)).map(Some);
        }
        // Table by table: what a project says goes before the file's top, in either form.
        for table in &self.tables {
            if let Some(file) = text_in(table, &format!("{key}_file")) {
                return Secret::from_file(setting, PathBuf::from(file)).map(Some);
            }
            if let Some(value) = text_in(table, key) {
                return Ok(Some(Secret { value: value.into(), file: None }));
            }
        }
        Ok(None)
    }
}

/// A secret, and the file that it was read from, so that it can be read again after a repair.
#[derive(Clone, Debug)]
pub struct Secret {
    /// The secret.
    pub value: SecretString,
    /// Where to read it again.
    pub file: Option<PathBuf>,
}

impl Secret {
    fn from_file(setting: &Setting, file: PathBuf) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(&file).map_err(|e| ConfigError::Invalid {
            variable: format!("{}_FILE", setting.variable),
            found: format!("a file that cannot be read ({e})"),
            expected: "a readable file with the secret in it".to_owned(),
        })?;
        // Editors and `echo` end a file with a newline that is no part of the secret.
        Ok(Self { value: text.trim_end_matches(['\n', '\r']).into(), file: Some(file) })
    }

    /// Reads the secret again, if it came from a file.
    pub fn reread(&self) -> Option<SecretString> {
        let text = std::fs::read_to_string(self.file.as_ref()?).ok()?;
        Some(text.trim_end_matches(['\n', '\r']).into())
    }
}
