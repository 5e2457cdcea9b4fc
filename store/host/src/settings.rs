//! Settings: read a TOML file, lay overrides over it, refuse what nobody knows, print what is in force.
//!
//! Settings themselves are plain serde structs beside the component they tune; this module only loads them. It reads no
//! environment variables: what is in force is the file, the overrides given on the command line, and the defaults, in that order
//! of precedence from the last to the first. A bad setting is an error that names the field, what was found and what would be right;
//! the binary exits with it before a port opens.

mod byte_size;
mod human_duration;
mod names;
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
        "the settings in {origin} are wrong: {message}\nfix that field, or remove it to get its default (`forebay node --print-config` without --config shows the defaults)"
    )]
    Wrong {
        /// The file, or where else the text came from.
        origin: String,
        /// Where, what was found and what was expected.
        message: String,
    },
    /// Fields that no setting of ours is called.
    #[error("the settings in {origin} have fields that do not exist: {}; check the spelling and the section they stand in, or remove them (`forebay node --print-config` without --config shows those that have defaults)", fields.join(", "))]
    Unknown {
        /// The file, or where else the text came from.
        origin: String,
        /// The fields, with dots between section and name.
        fields: Vec<String>,
    },
    /// An override is not of the form `section.field=value`.
    #[error(
        "the override {text:?} is wrong: {reason}; write it as section.field=value, for example --set cache.cache_bytes=1GiB"
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
    let mut table: toml::Table = toml::from_str(text).map_err(|error| wrong(advised(text, &error)))?;
    for text in overrides {
        lay_over(&mut table, text)?;
    }
    // First: what was written under a wrong name is missing under the right one, and that would be said of it.
    let known = names::of::<T>();
    let unknown: Vec<String> =
        table.keys().filter(|name| !known.is_empty() && !known.contains(&name.as_str())).cloned().collect();
    if let Some((last, others)) = unknown.split_last() {
        let last = format!("{last} (there are {})", known.join(", "));
        let fields = others.iter().cloned().chain([last]).collect();
        return Err(SettingsError::Unknown { origin: origin.to_owned(), fields });
    }
    let mut fields = Vec::new();
    let read = serde_ignored::deserialize(table, |path| fields.push(path.to_string()));
    let settings = match read {
        Ok(settings) => settings,
        Err(error) => {
            // The table has lost its line numbers. Where the file alone has the same fault, its error shows the line.
            let located = toml::from_str::<T>(text).err().filter(|_| overrides.is_empty());
            let error = located.unwrap_or(error);
            return Err(wrong(error.to_string().replace(A_PORT, A_PORT_SAID)));
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

/// What serde says of a number that a port, or anything else of 16 bits, can't be.
const A_PORT: &str = "expected u16";
/// What people say of it.
const A_PORT_SAID: &str = "expected a number from 0 to 65535";

/// What the parser says of a text that is no TOML. Of a value that is text without quotes it says what it took it for.
fn advised(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or_default();
    let line = text[before.rfind('\n').map_or(0, |end| end + 1)..].lines().next().unwrap_or_default();
    match line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
        Some((name, value))
            if value.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/') =>
        {
            let value = value.split('#').next().unwrap_or_default().trim();
            format!("{error}if that is text, put it in quotes: {name} = {value:?}\n")
        }
        _ => error.to_string(),
    }
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

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sections {
        #[allow(dead_code, reason = "only whether it can be read is asked")]
        cluster: Cluster,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Cluster {
        #[allow(dead_code, reason = "only whether it can be read is asked")]
        nodes: Vec<String>,
    }

    #[test]
    fn an_unknown_section_is_named_before_what_it_was_to_hold_is_missing() {
        for text in ["[clutser]\nnodes = [\"a\"]\n[cluster.tls]\n", "[clutser]\nnodes = [\"a\"]\n"] {
            let error = parse::<Sections>(text, "test.toml", &[]).expect_err("unknown").to_string();
            assert!(error.contains("clutser (there are cluster)"), "{error}");
        }
        parse::<Sections>("[cluster]\nnodes = [\"a\"]\n", "test.toml", &[]).expect("it is known");
    }

    #[test]
    fn text_without_quotes_and_numbers_that_are_no_ports_are_called_what_they_are() {
        let error = parse_plain("name = forebay-b # ours\n").expect_err("no TOML").to_string();
        assert!(error.contains("put it in quotes: name = \"forebay-b\"\n"), "{error}");
        let error = parse_plain("[cache]\nttl = 5 minutes\n").expect_err("no TOML").to_string();
        assert!(!error.contains("quotes: ttl"), "{error}");
        #[derive(Debug, Deserialize)]
        struct Listen {
            #[allow(dead_code, reason = "only whether it can be read is asked")]
            port: u16,
        }
        for overrides in [vec![], vec!["port=80000".to_owned()]] {
            let error =
                parse::<Listen>("port = 80000", "test.toml", &overrides).expect_err("wrong").to_string();
            assert!(error.contains("0 to 65535"), "{error}");
        }
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
