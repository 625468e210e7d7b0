//! How agents are reached.

use super::*;

fn agents(template: Option<&str>) -> Agents {
    let settings = Settings {
        addresses: vec!["https://127.0.0.1:8501".to_owned()],
        token: None,
        token_file: None,
        ca: None,
        cert: None,
        key: None,
        wait: super::super::WAIT,
    };
    Agents::new(settings, template.map(ToOwned::to_owned))
}

#[test]
fn an_agent_is_at_its_nodes_address_unless_it_is_the_one_that_is_set() {
    let agents = agents(None);
    let own = Some("here");
    let url = |node, address| agents.url(own, node, address);
    assert_eq!(url("here", "10.0.0.1").unwrap(), "https://127.0.0.1:8501");
    assert_eq!(url("there", "10.0.0.2").unwrap(), "https://10.0.0.2:8501");
    assert_eq!(url("six", "fd00::2").unwrap(), "https://[fd00::2]:8501");
    let said = url("nowhere", "").unwrap_err();
    assert!(said.contains("consul-agent"), "{said}");
}

#[test]
fn a_template_says_it_for_all() {
    let agents = agents(Some("http://{node}.internal:8500/at/{address}"));
    let url = agents.url(Some("here"), "here", "10.0.0.1");
    assert_eq!(url.unwrap(), "http://here.internal:8500/at/10.0.0.1");
}
