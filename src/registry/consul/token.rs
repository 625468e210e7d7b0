//! The ACL token: as it was given, or out of a file that is read again when it changes. Never printed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use reqwest::header::{HeaderName, HeaderValue};

use super::error::Error;
use super::settings::Settings;

/// The header that carries it.
pub const HEADER: HeaderName = HeaderName::from_static("x-consul-token");
const SETTING: &str = "token file";

/// The token in force.
pub struct Token {
    file: Option<PathBuf>,
    value: RwLock<Option<HeaderValue>>,
}

impl Token {
    /// The token that the settings name, or none.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let value = match (&settings.token, &settings.token_file) {
            (_, Some(file)) => Some(read(file)?),
            (Some(token), None) => Some(secret("token", token)?),
            (None, None) => None,
        };
        Ok(Self {
            file: settings.token_file.clone(),
            value: RwLock::new(value),
        })
    }

    /// What a request carries.
    pub fn current(&self) -> Option<HeaderValue> {
        let value = self.value.read().unwrap_or_else(PoisonError::into_inner);
        value.clone()
    }

    /// Reads the file, where there is one. As long as it is of no use, the token before it stays.
    pub fn refresh(&self) -> Result<(), Error> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let token = read(file)?;
        if self.current().as_ref() != Some(&token) {
            tracing::info!(file = %file.display(), "Consul's token was read anew");
            let mut value = self.value.write().unwrap_or_else(PoisonError::into_inner);
            *value = Some(token);
        }
        Ok(())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// What editors put behind the last line is no part of it.
fn read(file: &Path) -> Result<HeaderValue, Error> {
    let unusable = |reason: String| Error::File {
        setting: SETTING,
        path: file.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
    match text.trim() {
        "" => Err(unusable("it is empty".to_owned())),
        token => secret(SETTING, token),
    }
}

fn secret(setting: &'static str, token: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(token).map_err(|_| Error::Setting {
        setting,
        reason: "it has characters that no HTTP header can carry, a line break perhaps".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}
