//! How long, in which order, and where to.

use std::path::PathBuf;
use std::time::Duration;

/// What the soak was asked for.
#[derive(Debug)]
pub struct Asked {
    pub length: Duration,
    /// The same seed gives the same order of events, as far as outcomes are the same.
    pub seed: u64,
    /// Nothing is killed or stopped; instead, the route tables are divided and joined all the time.
    pub turning: bool,
    /// Where the figures go as JSON too.
    pub json: Option<PathBuf>,
}

impl Asked {
    /// Nothing where no length is given: then this is one of all tests, which run it by chance.
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let (mut minutes, mut seed, mut turning, mut json) = (None, None, false, None);
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.unwrap_or_else(|| panic!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--minutes" => minutes = Some(value().parse::<f64>().expect("--minutes N")),
                "--seed" => seed = Some(value().parse().expect("--seed N")),
                "--turning" => turning = true,
                "--json" => json = Some(value().into()),
                _ => {}
            }
        }
        Some(Self {
            length: Duration::from_secs_f64(minutes? * 60.0),
            seed: seed.unwrap_or_else(|| fastrand::u64(..1_000_000)),
            turning,
            json,
        })
    }
}
