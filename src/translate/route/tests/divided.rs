//! Divided tables: whatever the division, the table of a request's cell takes the route that the one table would.

use super::super::cell;
use super::super::division::{Counts, Division};
use super::*;
use crate::model::gateway::http::Tables as Mode;

/// The route that a request gets, by the table that its scope names.
fn taken_of(tables: &mut RouteTables, request: &Request) -> Option<String> {
    tables.touch();
    let News { tables, scopes } = tables.news();
    let host = request.authority.split(':').next().unwrap_or_default();
    let column = cell::column(&Some(Host::Exact(host.into()))).unwrap();
    let row = cell::row(&Path::Exact(request.path.as_str().into())).unwrap_or(CELLS - 1);
    let key = format!("default/{}", cell::number(column, row));
    let scopes = scopes.unwrap();
    let (_, name) = scopes.iter().find(|(scope, _)| scope.name == key).unwrap();
    let (_, table) = tables.iter().find(|(table, _)| table == name).unwrap();
    let table = RouteConfiguration::decode(table.clone().unwrap()).unwrap();
    assert_eq!(table.request_headers_to_remove, [CELL_HEADER]);
    taken(&table, request)
}

const CELLS: u8 = cell::CELLS;

fn any_division() -> impl Strategy<Value = Division> {
    (0..=5_u32, 0..=3_u32).prop_map(|(columns, rows)| Division { columns, rows })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_table_of_its_cell_takes_the_same_route(
        routes in vec(any_route(), 0..12),
        requests in vec(any_request(), 4),
        divisions in vec(any_division(), 1..3),
    ) {
        let mut tables = RouteTables::new("default");
        tables.settle(Mode::Divided);
        let all: Vec<_> = routes.into_iter().enumerate().map(|(at, route)| {
            Arc::new(Route { id: id(&format!("r{at}")), ..route })
        }).collect();
        let (before, after) = all.split_at(all.len() / 2);
        for route in before {
            tables.replace(&route.id, Some(route.clone()));
        }
        for division in divisions {
            tables.divide(division);
        }
        for route in after {
            tables.replace(&route.id, Some(route.clone()));
        }
        for request in requests {
            let expected = winner(&all, &request).map(|id| format!("route/{id}"));
            prop_assert_eq!(taken_of(&mut tables, &request), expected, "{:?}", request);
        }
    }

    #[test]
    fn edits_of_divided_tables_lead_to_the_same_as_building_anew(
        edits in vec((any_route(), any::<bool>()), 1..20),
        division in any_division(),
    ) {
        let news = |tables: &mut RouteTables| {
            tables.touch();
            tables.news().tables
        };
        let mut edited = RouteTables::new("default");
        edited.settle(Mode::Divided);
        edited.divide(division);
        let mut left = BTreeMap::new();
        for (route, keep) in edits {
            let kept = keep.then(|| Arc::new(route.clone()));
            edited.replace(&route.id, kept.clone());
            left.remove(&route.id);
            left.extend(kept.map(|kept| (route.id, kept)));
            edited.news();
        }
        let mut anew = RouteTables::new("default");
        anew.settle(Mode::Divided);
        for (id, route) in &left {
            anew.replace(id, Some(route.clone()));
        }
        anew.divide(division);
        prop_assert_eq!(news(&mut edited), news(&mut anew));
        prop_assert_eq!(edited.best(), anew.best());
    }
}

#[test]
fn a_host_is_in_one_column_whatever_its_port_and_its_case() {
    let column = |name: &str| cell::column(&Some(host(name)));
    assert_eq!(column("a.Example.com:8080"), column("A.example.COM"));
    assert_ne!(column("a.example.com"), column("b.example.com"));
    assert_eq!(column(".example.com"), None);
    assert_eq!(cell::column(&None), None);
}

#[test]
fn a_path_is_in_one_row_once_its_first_segment_is_complete() {
    let row = |text: &str| cell::row(&path(text));
    let one = row("/api").unwrap();
    for same in ["/api/", "/api/*", "/api/v1*", "/api?a=1", "/api/b/c"] {
        assert_eq!(row(same), Some(one), "{same}");
    }
    for any in ["/api*", "/*", "*", "/\u{e9}", "/\u{e9}/*"] {
        assert_eq!(row(any), None, "{any}");
    }
    assert_ne!(row("/apj"), Some(one));
}

/// So many hosts with so many paths each, so many paths without host, hosts with all paths, and paths of any beginning.
fn counted(hosts: usize, each: usize, without: usize, catch_alls: usize) -> Counts {
    let mut counts = Counts::default();
    let host = |n: usize| Some(Host::Exact(format!("h{n}.example.com").into()));
    let prefix = |n: usize| Path::Prefix(format!("/segment-{n}/").into());
    let own = (0..hosts).flat_map(|n| (0..each).map(move |path| (host(n), prefix(path))));
    let without = (0..without).map(|n| (None, prefix(n)));
    let all = (0..catch_alls).map(|n| (host(n), Path::Prefix("/".into())));
    let places: Vec<_> = own.chain(without).chain(all).collect();
    let places = places.iter().map(|(domain, path)| (domain, path));
    counts.replace(std::iter::empty(), places);
    counts
}

#[test]
fn what_pays_is_divided() {
    for (hosts, each, without, catch_alls, at_most) in [
        (0, 0, 6000, 0, 300),
        (1000, 5, 1000, 0, 600),
        (0, 0, 0, 6000, 300),
        (500, 6, 3000, 0, 400),
    ] {
        let counts = counted(hosts, each, without, catch_alls);
        let (division, cost) = counts.best();
        assert!(
            cost <= at_most && !division.is_one(),
            "{hosts} {each} {without} {catch_alls}: {cost} {division:?}"
        );
    }
    // Half of them in every row, and half in every column: copies would take what is won.
    let (division, cost) = counted(0, 0, 10, 10).best();
    assert!(division.is_one() && cost == 20, "{cost} {division:?}");
}

#[test]
fn a_gateway_that_decides_by_itself_divides_many_routes_and_joins_far_fewer() {
    let mut tables = RouteTables::new("default");
    let route = |n: usize| Arc::new(route(&format!("r{n}"), &[], &[&format!("/segment-{n}/*")]));
    for n in 0..4999 {
        let route = route(n);
        tables.replace(&route.id, Some(route.clone()));
    }
    tables.settle(Mode::Auto);
    assert!(!tables.are_divided());
    let one_more = route(4999);
    tables.replace(&one_more.id, Some(one_more.clone()));
    tables.settle(Mode::Auto);
    assert!(tables.are_divided());
    assert!(tables.news().scopes.is_some());
    for n in 2500..5000 {
        tables.replace(&id(&format!("r{n}")), None);
        tables.settle(Mode::Auto);
        assert!(tables.are_divided(), "{n}");
    }
    tables.replace(&id("r0"), None);
    tables.settle(Mode::Auto);
    assert!(!tables.are_divided());
    let News { tables, scopes } = tables.news();
    // Those that drain are told where all of it is.
    assert!(
        scopes
            .unwrap()
            .iter()
            .all(|(_, table)| &**table == "default")
    );
    assert!(
        tables
            .iter()
            .all(|(name, table)| table.is_some() == (&**name == "default"))
    );
}

#[test]
fn a_change_concerns_the_tables_of_its_cells() {
    let mut tables = RouteTables::new("default");
    for n in 0..3000 {
        let route = Arc::new(route(
            &format!("r{n}"),
            &[&format!("h{n}.example.com")],
            &["/*"],
        ));
        tables.replace(&route.id, Some(route.clone()));
    }
    tables.settle(Mode::Divided);
    tables.news();
    let mut other = route("r7", &["h7.example.com"], &["/*"]);
    other.priority = 1;
    tables.replace(&id("r7"), Some(Arc::new(other)));
    tables.settle(Mode::Divided);
    let News { tables, scopes } = tables.news();
    assert!(scopes.is_none());
    assert_eq!(tables.len(), 2, "the one for all, and its own");
    let sizes: Vec<_> = tables
        .iter()
        .map(|(_, table)| table.as_ref().unwrap().len())
        .collect();
    assert!(sizes[1] * 20 < sizes[0], "{sizes:?}");
}
