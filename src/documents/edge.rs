//! The documents that become part of gateways: ssls, whose names are unique within each, and stream routes.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::entry::{Entry, GoodForm};
use super::in_force::names;
use super::{Documents, resolve};
use crate::model::key::Key;
use crate::model::problem::Remark;
use crate::model::ssl::Type;
use crate::model::{Host, Id, Ssl};

/// Who answers to a name (to every other name where there is none): the documents, by id.
type Answering<'a> = HashMap<Option<&'a Host>, Vec<&'a Ssl>>;

impl Documents {
    /// Takes up the ssls and stream routes that are affected; then every gateway is as well.
    pub(super) fn settle_edge(&mut self, affected: &mut BTreeSet<Arc<str>>) {
        let ssls = below("ssls/", affected);
        let stream_routes = below("stream_routes/", affected);
        if ssls.is_empty() && stream_routes.is_empty() {
            return;
        }
        affected.extend(self.in_force.gateways.keys().cloned());
        for path in &stream_routes {
            if let Ok(Key { id, .. }) = path.parse() {
                self.settle_stream_route(path, &id);
            }
        }
        for path in &ssls {
            self.settle_ssl(path);
        }
        if !ssls.is_empty() {
            self.settle_names(ssls);
        }
    }

    fn settle_ssl(&mut self, path: &Arc<str>) {
        match self.entries.get(path).and_then(Entry::form) {
            Some(GoodForm::Ssl(draft)) if draft.enabled => match &draft.of {
                Type::Server(ssl) => self.in_force.ssls.insert(path.clone(), ssl.clone()),
                Type::Client(_) => self.in_force.ssls.remove(path),
            },
            _ => self.in_force.ssls.remove(path),
        };
    }

    fn settle_stream_route(&mut self, path: &Arc<str>, id: &Id) {
        let (resolved, useless) = match self.entries.get(path).and_then(Entry::form) {
            Some(GoodForm::StreamRoute(draft)) => {
                let route = resolve::stream_route(&self.entries, id, draft);
                (route.map(Some), resolve::useless(&self.entries, draft))
            }
            _ => (Ok(None), Vec::new()),
        };
        let (route, unresolved) = match resolved {
            Ok(route) => (route.map(Arc::new), None),
            Err(remark) => (None, Some(remark)),
        };
        if let Some(entry) = self.entries.get_mut(path) {
            let stays = unresolved.is_some() && entry.settled;
            entry.unresolved = unresolved;
            entry.shadowed = useless;
            if stays {
                return;
            }
        }
        let before = match &route {
            Some(route) => self
                .in_force
                .stream_routes
                .insert(path.clone(), route.clone()),
            None => self.in_force.stream_routes.remove(path),
        };
        for service in route.iter().flat_map(|route| route.cluster.services()) {
            self.uses.retain(service);
        }
        for service in before.iter().flat_map(|before| before.cluster.services()) {
            self.uses.release(service);
        }
    }

    /// Notes of each ssl which of its names another one answers to. Those that are `touched` may not be in force any more.
    fn settle_names(&mut self, touched: Vec<Arc<str>>) {
        let mut answering = Answering::new();
        for ssl in self.in_force.ssls.values() {
            for name in names(ssl) {
                answering.entry(name).or_default().push(ssl);
            }
        }
        let gone = touched.into_iter().map(|path| (path, Vec::new()));
        let mut shadowed: HashMap<Arc<str>, Vec<Remark>> = gone.collect();
        let in_force = self.in_force.ssls.iter();
        shadowed
            .extend(in_force.map(|(path, ssl)| (path.clone(), shadowed_names(ssl, &answering))));
        for (path, now) in shadowed {
            if let Some(entry) = self.entries.get_mut(&path)
                && entry.shadowed != now
            {
                entry.shadowed = now;
                self.reworded.insert(path);
            }
        }
    }
}

fn shadowed_names(ssl: &Ssl, answering: &Answering<'_>) -> Vec<Remark> {
    // The first, and how many more: one line, however many there are.
    let mut first = None;
    let mut others = 0;
    for name in names(ssl) {
        let share = |other: &&&Ssl| {
            let both = other.gateways.iter().any(|gateway| ssl.belongs_to(gateway));
            other.gateways.is_empty() || ssl.gateways.is_empty() || both
        };
        let all = answering.get(&name).into_iter().flatten();
        let mut before = all.take_while(|other| other.id != ssl.id);
        if let Some(other) = before.find(share) {
            let shown = name.map_or_else(|| "*".to_owned(), ToString::to_string);
            if first.is_some() {
                others += 1;
            } else {
                first = Some(format!(
                    "`{shown}` is answered with the certificate of `ssls/{}`, whose id comes first",
                    other.id
                ));
            }
        }
    }
    let message = first.map(|first| match others {
        0 => first,
        others => format!("{first}; so it is with {others} more of the names"),
    });
    message
        .map(|message| Remark::new("snis", message))
        .into_iter()
        .collect()
}

/// The paths that begin so.
pub(super) fn below(first: &str, paths: &BTreeSet<Arc<str>>) -> Vec<Arc<str>> {
    let from_first = paths.range::<str, _>((Bound::Included(first), Bound::Unbounded));
    from_first
        .take_while(|path| path.starts_with(first))
        .cloned()
        .collect()
}
