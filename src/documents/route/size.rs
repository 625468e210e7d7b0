//! How much a route becomes in Envoy, computed and not made: a document of a few kilobytes could ask for gigabytes.

use ipnet::IpNet;

use crate::model::problem::Remark;
use crate::model::vars::{Predicate, Vars};
use crate::model::{Host, Path};
use crate::plugin::Plugins;

/// The most routes of Envoy's that a document may become.
const ROUTES: usize = 4096;
/// The most bytes that they may be, about.
const BYTES: usize = 16 * 1024 * 1024;
/// What a route of Envoy's is at least, about, and a range of addresses.
const ROUTE_BYTES: usize = 256;
const RANGE_BYTES: usize = 32;

/// Refuses a route that becomes more than a gateway should have to hold for one document.
pub(crate) fn check(
    paths: &[Path],
    hosts: &[Host],
    ranges: &[IpNet],
    vars: Option<&Vars>,
    plugins: &Plugins,
) -> Result<(), Remark> {
    let hosts = hosts.len().max(1);
    let (by_vars, ranges_of_vars) = vars.map_or((1, 0), alternatives);
    let by_plugins = plugins.routes();
    let places = paths.len().saturating_mul(hosts);
    let each = by_vars.saturating_mul(by_plugins);
    let routes = places.saturating_mul(each);
    if routes > ROUTES {
        return Err(Remark::whole(format!(
            "becomes {routes} routes in Envoy ({} paths × {hosts} hosts × {by_vars} by `vars` × {by_plugins} by `plugins`), \
             allowed: at most {ROUTES}; divide it into several documents",
            paths.len()
        )));
    }
    let route = plugins.bytes().saturating_add(ROUTE_BYTES);
    let ranges = (ranges.len() + ranges_of_vars).saturating_mul(RANGE_BYTES);
    let place = each.saturating_mul(route).saturating_add(ranges);
    let bytes = places.saturating_mul(place);
    if bytes > BYTES {
        return Err(Remark::whole(format!(
            "becomes about {bytes} bytes in Envoy ({} paths × {hosts} hosts × {place} bytes), allowed: at most {BYTES}; \
             fewer paths or hosts, shorter lists and texts, or several documents",
            paths.len()
        )));
    }
    Ok(())
}

/// How many routes `vars` make of one, and of how many ranges of addresses. Where several of their alternatives ask for an
/// address, each has a list of its own for each set of them that a client can fulfil.
fn alternatives(vars: &Vars) -> (usize, usize) {
    let alternatives = vars.alternatives();
    let ranges = |alternative: &Vec<Predicate>| -> usize {
        let ranges = alternative.iter().map(|predicate| match predicate {
            Predicate::Address { nets, .. } => nets.len(),
            _ => 0,
        });
        ranges.sum()
    };
    let ranges = alternatives.iter().map(ranges).filter(|ranges| *ranges > 0);
    let (asking, ranges) = ranges.fold((0_u32, 0), |(asking, all), own| (asking + 1, all + own));
    let sets = 1_usize.checked_shl(asking).unwrap_or(usize::MAX);
    let lists = if asking > 1 { sets.min(ranges + 1) } else { 1 };
    (alternatives.len().saturating_mul(lists), ranges)
}
