//! Drains that last longer than was said at first: the document and its entry are written anew, under another lease.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::audit::Deed;
use super::{Caller, DrainError, Drainer, Standing, apart, entry};
use crate::model::drain::Drain;
use crate::store::ledger::Prolonged;

impl Drainer {
    /// Has a drain last so many seconds from now, with those that were taken out together with it. Goes on when the caller does not
    /// wait for it.
    pub async fn prolong(
        self: &Arc<Self>,
        id: String,
        ttl: u32,
        caller: Caller,
    ) -> Result<Vec<Standing>, DrainError> {
        let drainer = self.clone();
        apart(async move { drainer.try_prolong(&id, ttl, &caller).await }).await
    }

    async fn try_prolong(
        &self,
        id: &str,
        ttl: u32,
        caller: &Caller,
    ) -> Result<Vec<Standing>, DrainError> {
        let began = Instant::now();
        let new = || Deed::new(&self.trail, "prolong", &caller.name, &caller.from);
        let prolonged = self.prolonged(id, ttl).await;
        match &prolonged {
            Ok(drains) => {
                for one in drains {
                    let mut deed = new();
                    deed.is_about(&one.drain);
                    deed.step("document", began, None::<&DrainError>);
                }
            }
            Err(refusal) => {
                let mut deed = new();
                deed.drain = id.into();
                deed.refused("document", began, refusal);
            }
        }
        prolonged
    }

    async fn prolonged(&self, id: &str, ttl: u32) -> Result<Vec<Standing>, DrainError> {
        let journal = self.ledger.journal().await?;
        let entries = self.entries(&journal);
        entries.are_understood()?;
        let unknown =
            || DrainError::Unknown(format!("no drain `{}` is in force", id.escape_debug()));
        let (_, asked) = entries.find(id).ok_or_else(unknown)?;
        let theirs = entries
            .keyed()
            .filter(|(_, it)| it.order() == asked.order());
        let mut all = Vec::new();
        for (key, drain) in theirs {
            // One of those that it was taken out with may have ended by itself.
            let Some(revision) = journal.in_force.get(&drain.id) else {
                continue;
            };
            let drain = longer(drain, ttl, SystemTime::now())?;
            let text = entry::text(&drain)?;
            let written = Prolonged {
                key: key.to_owned(),
                id: drain.id.to_string(),
                seen: *revision,
                text,
            };
            all.push((drain, written));
        }
        if all.iter().all(|(drain, _)| *drain.id != *id) {
            return Err(unknown());
        }
        let (drains, written): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let revision = self.ledger.prolong(written, ttl).await?.ok_or_else(|| {
            DrainError::Conflict(format!(
                "drain {id} ends or changes at this moment: look again"
            ))
        })?;
        self.forget_view();
        let standing = drains.into_iter().map(|drain| Standing {
            drain,
            revision,
            existed: true,
        });
        let mut standing: Vec<_> = standing.collect();
        standing.sort_by_key(|it| (*it.drain.id != *id, it.drain.of.clone()));
        Ok(standing)
    }
}

/// The drain, ending so many seconds from now.
fn longer(drain: &Drain, ttl: u32, now: SystemTime) -> Result<Drain, DrainError> {
    let created = humantime::parse_rfc3339(&drain.created);
    let created = created.map_err(|error| DrainError::Unsupported(error.to_string()))?;
    let lasted = now.duration_since(created).unwrap_or_default().as_secs();
    let whole = u32::try_from(lasted)
        .unwrap_or(u32::MAX)
        .saturating_add(ttl);
    if whole < drain.ttl {
        let left = u64::from(drain.ttl).saturating_sub(lasted);
        return Err(DrainError::Unclear(format!(
            "ttl: found {ttl}s, and drain {} lasts {left}s still: allowed is more; `chancery undrain {}` ends it",
            drain.id, drain.id
        )));
    }
    Ok(Drain {
        ttl: whole,
        ..drain.clone()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::drain::{Mode, Of};

    #[test]
    fn a_drain_that_is_prolonged_ends_so_long_from_now_and_never_earlier() {
        let drain = Drain {
            id: "1".into(),
            with: None,
            of: Of::Nodes,
            instance: "10.0.0.7:80".into(),
            address: [10, 0, 0, 7].into(),
            port: 80,
            node: String::new(),
            agent: None,
            mode: Mode::Leave,
            reason: "release".to_owned(),
            by: String::new(),
            from: String::new(),
            created: "1970-01-01T00:01:40Z".to_owned(),
            ttl: 600,
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(400);
        let longer = |ttl| longer(&drain, ttl, now);
        assert_eq!(
            longer(600).unwrap(),
            Drain {
                ttl: 900,
                ..drain.clone()
            }
        );
        assert_eq!(longer(300).unwrap(), drain);
        let said = longer(299).unwrap_err().to_string();
        assert!(
            said.contains("found 299s, and drain 1 lasts 300s still"),
            "{said}"
        );
    }
}
