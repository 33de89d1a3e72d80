//! The configuration file, `apitap.toml`: what a site sets once.
//!
//! TOML in, [`Config`] out. Unknown keys are errors, with the line; flags of the command line win over the file.

use crate::rule::Network;
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{file}: cannot be read: {source}; give the path of a readable file")]
    Unreadable { file: String, source: std::io::Error },
    #[error("{file}: {message}")]
    Invalid { file: String, message: String },
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub identity: Identity,
    pub learning: Learning,
    pub rules: Rules,
    pub api: Api,
}

/// Who is who.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Addresses or networks of proxies whose `Forwarded` and `X-Forwarded-For` are believed.
    pub trusted_proxies: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Learning {
    /// Event time that only teaches, for example `10m`.
    pub duration: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Folder of rules that are laid over the built-in ones.
    pub folder: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// OpenAPI descriptions.
    pub openapi: Vec<PathBuf>,
}

impl Config {
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let file = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { file: file.clone(), source })?;
        let config: Config = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            ConfigError::Invalid { file: format!("{file}:{line}"), message: error.message().to_string() }
        })?;
        config.networks().map_err(|message| ConfigError::Invalid { file: file.clone(), message })?;
        config.learning_duration().map_err(|message| ConfigError::Invalid { file, message })?;
        Ok(config)
    }

    /// The trusted proxies as networks.
    pub fn networks(&self) -> Result<Vec<Network>, String> {
        self.identity
            .trusted_proxies
            .iter()
            .map(|text| text.parse().map_err(|error| format!("`identity.trusted_proxies`: {error}")))
            .collect()
    }

    pub fn learning_duration(&self) -> Result<Option<std::time::Duration>, String> {
        self.learning
            .duration
            .as_deref()
            .map(|text| crate::time::parse_duration(text).map_err(|error| format!("`learning.duration`: {error}")))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(file.path())
    }

    #[test]
    fn unknown_keys_are_named_with_their_line() {
        let error = load("[identity]\ntrusted_proxys = []\n").unwrap_err().to_string();
        assert!(error.contains(":2:") && error.contains("trusted_proxys"), "{error}");
    }

    #[test]
    fn networks_and_durations_are_checked() {
        assert_eq!(load("[identity]\ntrusted_proxies = [\"10.0.0.0/8\"]\n").unwrap().networks().unwrap().len(), 1);
        assert!(load("[identity]\ntrusted_proxies = [\"ten\"]\n").is_err());
        assert!(load("[learning]\nduration = \"soon\"\n").is_err());
    }
}
