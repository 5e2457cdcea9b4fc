//! Settings: read a TOML file, lay overrides over it, refuse what nobody knows, print what is in force.
//!
//! Settings themselves are plain serde structs beside the component they tune; this module only loads them. It reads no
//! environment variables: what is in force is the file, the overrides given on the command line, and the defaults, in that order
//! of precedence from the last to the first. A bad setting is an error that names the field, what was found and what would be right;
//! the binary exits with it before a port opens.

mod byte_size;
mod human_duration;
mod secret;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use byte_size::ByteSize;
pub use human_duration::HumanDuration;
pub use secret::Secret;

/// A file of settings larger than this is not one.
pub const MAX_SETTINGS_BYTES: u64 = 1024 * 1024;

/// Why settings cannot be used. Every message names the field or file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error(
        "cannot read the settings file {path}: {source}; check the path given with --config and its permissions"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than [`MAX_SETTINGS_BYTES`].
    #[error(
        "the settings file {path} has {bytes} bytes, more than {MAX_SETTINGS_BYTES}; is it the right file?"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The text is not TOML, or a field has a wrong type, value or name.
    #[error(
        "the settings in {origin} are wrong: {message}\nfix that field, or remove it to get its default (forebay node --print-config shows all fields)"
    )]
    Wrong {
        /// The file, or where else the text came from.
        origin: String,
        /// Where, what was found and what was expected.
        message: String,
    },
    /// Fields that no setting of ours is called.
    #[error("the settings in {origin} have fields that do not exist: {}; check the spelling and the section they stand in, or remove them (forebay node --print-config shows all fields)", fields.join(", "))]
    Unknown {
        /// The file, or where else the text came from.
        origin: String,
        /// The fields, with dots between section and name.
        fields: Vec<String>,
    },
    /// An override is not of the form `section.field=value`.
    #[error(
        "the override {text:?} is wrong: {reason}; write it as section.field=value, for example --set cache.item_bytes=1GiB"
    )]
    Override {
        /// What was given.
        text: String,
        /// Why it is wrong.
        reason: String,
    },
}

/// Loads settings from a TOML file and lays `overrides` (each `section.field=value`) over them.
///
/// Errors: see [`SettingsError`]; fields nobody knows are refused even where the struct's author forgot to ask for it.
pub fn load<T: DeserializeOwned>(path: &Path, overrides: &[String]) -> Result<T, SettingsError> {
    let unreadable = |source| SettingsError::Unreadable { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MAX_SETTINGS_BYTES {
        return Err(SettingsError::TooLarge { path: path.to_owned(), bytes });
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse(&text, &path.display().to_string(), overrides)
}

/// Parses settings from TOML text; `origin` names the text in errors. Otherwise as [`load`].
pub fn parse<T: DeserializeOwned>(
    text: &str,
    origin: &str,
    overrides: &[String],
) -> Result<T, SettingsError> {
    let wrong = |message: String| SettingsError::Wrong { origin: origin.to_owned(), message };
    let mut table: toml::Table = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    for text in overrides {
        lay_over(&mut table, text)?;
    }
    let mut fields = Vec::new();
    let read = serde_ignored::deserialize(table, |path| fields.push(path.to_string()));
    let settings = match read {
        Ok(settings) => settings,
        Err(error) => {
            // The table has lost its line numbers. Where the file alone has the same fault, its error shows the line.
            let located = toml::from_str::<T>(text).err().filter(|_| overrides.is_empty());
            return Err(wrong(located.map_or_else(|| error.to_string(), |located| located.to_string())));
        }
    };
    if !fields.is_empty() {
        return Err(SettingsError::Unknown { origin: origin.to_owned(), fields });
    }
    Ok(settings)
}

/// The effective settings as TOML, secrets masked: what `--print-config` and the admin port show.
///
/// Errors: a struct that TOML cannot hold, such as one with a map whose keys are not strings.
pub fn print<T: Serialize>(settings: &T) -> Result<String, toml::ser::Error> {
    toml::to_string_pretty(settings)
}

fn lay_over(table: &mut toml::Table, text: &str) -> Result<(), SettingsError> {
    let refuse = |reason: &str| SettingsError::Override { text: text.to_owned(), reason: reason.to_owned() };
    let (path, value) = text.split_once('=').ok_or_else(|| refuse("there is no ="))?;
    let mut names: Vec<&str> = path.trim().split('.').collect();
    let last = names.pop().filter(|last| !last.is_empty()).ok_or_else(|| refuse("there is no field name"))?;
    let mut at = table;
    for name in names {
        if name.is_empty() {
            return Err(refuse("a section name is empty"));
        }
        at = at
            .entry(name.to_owned())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| refuse(&format!("{name} is a field, not a section")))?;
    }
    at.insert(last.to_owned(), override_value(value.trim()));
    Ok(())
}

/// A value as TOML has it, else a string: so that `--set log=debug` needs no quotes inside quotes.
fn override_value(text: &str) -> toml::Value {
    toml::from_str::<toml::Table>(&format!("value = {text}"))
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Settings {
        name: String,
        cache: Cache,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Cache {
        item_bytes: ByteSize,
        ttl: HumanDuration,
        password: Option<Secret>,
    }

    impl Default for Cache {
        fn default() -> Self {
            Cache { item_bytes: ByteSize::mib(64), ttl: HumanDuration::from_secs(300), password: None }
        }
    }

    fn parse_plain(text: &str) -> Result<Settings, SettingsError> {
        parse(text, "test.toml", &[])
    }

    #[test]
    fn fields_that_are_left_out_keep_their_defaults() {
        let settings = parse_plain("[cache]\nttl = \"90s\"").expect("valid");
        assert_eq!(settings.cache.ttl.get(), Duration::from_secs(90));
        assert_eq!(settings.cache.item_bytes.bytes(), 64 * 1024 * 1024);
    }

    #[test]
    fn an_unknown_field_is_refused_by_name_whoever_wrote_the_struct() {
        let loose = parse_plain("nmae = \"x\"").expect_err("unknown").to_string();
        assert!(loose.contains("nmae") && loose.contains("test.toml"), "{loose}");
        let strict = parse_plain("[cache]\nitem_bites = 1").expect_err("unknown").to_string();
        assert!(strict.contains("item_bites") && strict.contains("item_bytes"), "{strict}");
        assert!(strict.contains("line 2"), "{strict}");
    }

    #[test]
    fn a_wrong_value_names_the_line_and_what_would_be_right() {
        let error = parse_plain("[cache]\n\nitem_bytes = \"1 gigabyte\"").expect_err("wrong").to_string();
        assert!(error.contains("line 3") && error.contains("1GiB"), "{error}");
        let error = parse_plain("cache = 3").expect_err("wrong").to_string();
        assert!(error.contains("cache"), "{error}");
        assert!(parse_plain("[cache").is_err());
    }

    #[test]
    fn overrides_win_over_the_file_and_need_no_quotes() {
        let overrides = ["cache.item_bytes=2GiB", "cache.ttl = 10s", "name=a b", "cache.password=\"s=3\""]
            .map(str::to_owned);
        let settings: Settings =
            parse("name = \"file\"\n[cache]\nttl = \"1s\"", "test.toml", &overrides).expect("valid");
        assert_eq!(settings.name, "a b");
        assert_eq!(settings.cache.item_bytes, ByteSize::gib(2));
        assert_eq!(settings.cache.ttl.get(), Duration::from_secs(10));
        assert_eq!(settings.cache.password.as_ref().map(Secret::reveal), Some("s=3"));
    }

    #[test]
    fn a_bad_override_is_named() {
        for (bad, named) in [
            ("cache", "there is no ="),
            ("=3", "no field name"),
            ("cache.=3", "no field name"),
            (".x=3", "section name is empty"),
            ("name.inner=3", "name is a field"),
            ("cache.nope=1", "nope"),
            ("cache.ttl=soon", "soon"),
        ] {
            let parsed: Result<Settings, _> = parse("name = \"n\"", "test.toml", &[bad.to_owned()]);
            let error = parsed.expect_err(bad).to_string();
            assert!(error.contains(named), "{bad}: {error}");
        }
    }

    #[test]
    fn printed_settings_read_back_and_hide_secrets() {
        let mut settings = parse_plain("[cache]\npassword = \"hunter2\"").expect("valid");
        let text = print(&settings).expect("printable");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("item_bytes = \"64MiB\"") && text.contains("ttl = \"5m\""), "{text}");
        settings.cache.password = None;
        assert_eq!(parse_plain(&print(&settings).expect("printable")).expect("valid"), settings);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error =
            load::<Settings>(Path::new("/nonexistent/forebay.toml"), &[]).expect_err("missing").to_string();
        assert!(error.contains("/nonexistent/forebay.toml") && error.contains("--config"), "{error}");
    }
}
