//! Connections of a stream route that only some clients may have. A chain each for those that go on and those that are closed, as Envoy
//! chooses chains by where a client is: its filter that denies asks with the first byte that a client sends, when the instance is
//! connected with already, and has greeted a client that was to wait for that.

use envoy_types::pb::envoy::config::listener::v3::{Filter, filter::ConfigType};
use envoy_types::pb::envoy::extensions::filters::network::direct_response::v3::Config as Answer;
use ipnet::IpNet;

use crate::envoy::any;
use crate::model::stream_route::Clients;

/// Connections that have the same made of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Where their clients are; none is anywhere.
    pub sources: Vec<IpNet>,
    pub go_on: bool,
}

/// The connections of a chain, by what is made of them: one part where nobody asks, or all clients fare alike. `beside` are the sources of
/// all chains among which Envoy looks for the nearest one, this one's among them.
pub(super) fn parts(
    clients: Option<&Clients>,
    source: Option<IpNet>,
    beside: &[Option<IpNet>],
) -> Vec<Part> {
    let own = |go_on| Part {
        sources: source.into_iter().collect(),
        go_on,
    };
    let Some(clients) = clients else {
        return vec![own(true)];
    };
    let lists = |range: &IpNet| source.is_some_and(|source| range.contains(&source));
    if clients.listed.iter().any(lists) {
        return vec![own(clients.go_on)];
    }
    let is_here =
        |range: &IpNet| !beside.contains(&Some(*range)) && nearest(*range, beside) == Some(source);
    let listed = clients.listed.iter().copied();
    let listed: Vec<_> = listed.filter(is_here).collect();
    let mut parts = vec![own(!clients.go_on)];
    if !listed.is_empty() {
        parts.push(Part {
            sources: listed,
            go_on: clients.go_on,
        });
    }
    parts
}

/// The narrowest of these sources that a range lies in.
fn nearest(range: IpNet, sources: &[Option<IpNet>]) -> Option<Option<IpNet>> {
    let holds = |source: &&Option<IpNet>| source.is_none_or(|source| source.contains(&range));
    let width = |source: &&Option<IpNet>| source.map(|source| source.prefix_len());
    sources.iter().filter(holds).max_by_key(width).copied()
}

/// Closes a connection without a word.
pub(super) fn closed() -> Filter {
    Filter {
        name: "envoy.filters.network.direct_response".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&Answer::default()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn clients(listed: &[&str], go_on: bool) -> Clients {
        let listed = listed.iter().map(|one| net(one)).collect();
        Clients { listed, go_on }
    }

    /// What becomes of clients, by where they are: `*` is anywhere.
    fn fates(clients: Option<&Clients>, source: &str, beside: &[&str]) -> Vec<(String, bool)> {
        let read = |text: &str| (text != "*").then(|| net(text));
        let mut all: Vec<_> = beside.iter().map(|one| read(one)).collect();
        all.push(read(source));
        let parts = parts(clients, read(source), &all).into_iter();
        let each = parts.map(|part| {
            let sources: Vec<_> = part.sources.iter().map(ToString::to_string).collect();
            let shown = if sources.is_empty() {
                "*".to_owned()
            } else {
                sources.join(" ")
            };
            (shown, part.go_on)
        });
        each.collect()
    }

    #[test]
    fn those_who_are_listed_and_the_others_are_told_apart() {
        let of = |source: &str, go_on: bool| (source.to_owned(), go_on);
        assert_eq!(fates(None, "10.0.0.0/8", &[]), [of("10.0.0.0/8", true)]);
        let listed = ["10.1.0.0/16", "192.168.0.1/32", "::1/128"];
        let all = "10.1.0.0/16 192.168.0.1/32 ::1/128";
        let may = clients(&listed, true);
        assert_eq!(fates(Some(&may), "*", &[]), [of("*", false), of(all, true)]);
        let may_not = clients(&listed, false);
        assert_eq!(
            fates(Some(&may_not), "*", &[]),
            [of("*", true), of(all, false)]
        );
        // Of a range only what lies in it.
        assert_eq!(
            fates(Some(&may), "10.0.0.0/8", &[]),
            [of("10.0.0.0/8", false), of("10.1.0.0/16", true)]
        );
        for inside in ["10.1.0.0/16", "10.1.2.0/24"] {
            assert_eq!(fates(Some(&may), inside, &[]), [of(inside, true)]);
            assert_eq!(fates(Some(&may_not), inside, &[]), [of(inside, false)]);
        }
        assert_eq!(
            fates(Some(&may), "11.0.0.0/8", &[]),
            [of("11.0.0.0/8", false)]
        );
    }

    #[test]
    fn what_is_nearer_to_another_chain_is_none_of_this_one() {
        let may_not = clients(&["10.1.0.0/16", "10.2.0.0/16", "11.0.0.0/8"], false);
        let fates = fates(Some(&may_not), "*", &["10.1.0.0/16", "10.2.0.0/15"]);
        let of = |source: &str, go_on: bool| (source.to_owned(), go_on);
        assert_eq!(fates, [of("*", true), of("11.0.0.0/8", false)]);
    }
}
