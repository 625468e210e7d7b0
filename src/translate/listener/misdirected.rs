//! Requests for a host whose clients have to show a certificate, on a connection for another one where nobody was asked: all
//! names share the routes, so the Host that a client writes could lead past the check of the name that it asked for in TLS.

use envoy_types::pb::envoy::config::rbac::v3::{
    Permission, Policy, Principal, Rbac as Rules, permission, principal, rbac::Action,
};
use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, header_matcher::HeaderMatchSpecifier,
};
use envoy_types::pb::envoy::extensions::filters::http::rbac::v3::Rbac;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter,
};
use envoy_types::pb::envoy::r#type::matcher::v3::{
    RegexMatcher, StringMatcher, string_matcher::MatchPattern,
};

use crate::envoy::any;
use crate::model::{Gateway, Host, Ssl};

/// Refuses requests on connections for `here` whose host belongs to another document that asks for certificates.
pub(super) fn misdirected(gateway: &Gateway, here: &Ssl) -> Option<HttpFilter> {
    let others = gateway.ssls.iter().filter(|ssl| ssl.id != here.id);
    let checking = others.filter(|ssl| ssl.clients.is_some());
    let policies = checking.map(|ssl| (format!("ssl/{}", ssl.id), policy(gateway, ssl)));
    let config = Rbac {
        rules: Some(Rules {
            action: Action::Deny.into(),
            policies: policies.collect(),
            ..Rules::default()
        }),
        ..Rbac::default()
    };
    let is_needed = config
        .rules
        .as_ref()
        .is_some_and(|rules| !rules.policies.is_empty());
    is_needed.then(|| HttpFilter {
        name: "chancery.misdirected".to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(any(&config))),
        ..HttpFilter::default()
    })
}

/// The hosts that belong to the document.
fn policy(gateway: &Gateway, ssl: &Ssl) -> Policy {
    let others = || {
        let documents = gateway.ssls.iter().filter(|other| other.id != ssl.id);
        documents.flat_map(|other| &other.names)
    };
    let named = ssl.names.iter().map(|name| {
        let nearer = others().filter(|other| is_nearer(other, name)).map(host);
        except(host(name), nearer.collect())
    });
    let rest = ssl.any_name.then(|| {
        let nearer = others().chain(&ssl.names).map(host);
        except(permission(permission::Rule::Any(true)), nearer.collect())
    });
    Policy {
        permissions: named.chain(rest).collect(),
        principals: vec![Principal {
            identifier: Some(principal::Identifier::Any(true)),
        }],
        ..Policy::default()
    }
}

/// Whether every host of `one` is also one of `other`, and not the other way round.
fn is_nearer(one: &Host, other: &Host) -> bool {
    match (one, other) {
        (Host::Exact(one) | Host::Suffix(one), Host::Suffix(other)) => {
            one != other && one.ends_with(&**other)
        }
        (_, Host::Exact(_)) => false,
    }
}

fn except(one: Permission, others: Vec<Permission>) -> Permission {
    if others.is_empty() {
        return one;
    }
    let any = permission(permission::Rule::OrRules(permission::Set { rules: others }));
    let none = permission(permission::Rule::NotRule(Box::new(any)));
    permission(permission::Rule::AndRules(permission::Set {
        rules: vec![one, none],
    }))
}

/// As clients write it: in any case, with or without the port.
fn host(name: &Host) -> Permission {
    let pattern = match name {
        Host::Exact(name) => regex::escape(name),
        Host::Suffix(suffix) => format!(".+{}", regex::escape(suffix)),
    };
    let matcher = StringMatcher {
        match_pattern: Some(MatchPattern::SafeRegex(RegexMatcher {
            regex: format!("(?i){pattern}(:[0-9]*)?"),
            ..RegexMatcher::default()
        })),
        ..StringMatcher::default()
    };
    permission(permission::Rule::Header(HeaderMatcher {
        name: ":authority".to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(matcher)),
        ..HeaderMatcher::default()
    }))
}

fn permission(rule: permission::Rule) -> Permission {
    Permission { rule: Some(rule) }
}
