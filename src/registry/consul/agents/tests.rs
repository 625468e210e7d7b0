//! How agents are reached.

use super::super::tests::scripted::Scripted;
use super::*;

fn agents<const N: usize>(addresses: [&str; N], template: Option<&str>) -> Agents {
    let settings = Settings {
        addresses: addresses.map(ToOwned::to_owned).to_vec(),
        token: None,
        token_file: None,
        ca: None,
        cert: None,
        key: None,
        wait: super::super::WAIT,
        connections: super::super::CONNECTIONS,
    };
    Agents::new(settings, template.map(ToOwned::to_owned))
}

#[test]
fn an_agent_is_at_its_nodes_address_unless_it_is_the_one_that_is_set() {
    let agents = agents(["https://127.0.0.1:8501"], None);
    let own = HashMap::from([("here".to_owned(), "https://127.0.0.1:8501".to_owned())]);
    let url = |node, address| agents.url(&own, node, address);
    assert_eq!(url("here", "10.0.0.1").unwrap(), "https://127.0.0.1:8501");
    assert_eq!(url("there", "10.0.0.2").unwrap(), "https://10.0.0.2:8501");
    assert_eq!(url("six", "fd00::2").unwrap(), "https://[fd00::2]:8501");
    let said = url("nowhere", "").unwrap_err();
    assert!(said.contains("consul-agent"), "{said}");
}

#[test]
fn a_template_says_it_for_all() {
    let template = Some("http://{node}.internal:8500/at/{address}");
    let agents = agents(["https://127.0.0.1:8501"], template);
    let url = agents.url(&HashMap::new(), "here", "10.0.0.1");
    assert_eq!(url.unwrap(), "http://here.internal:8500/at/10.0.0.1");
}

/// An agent that answers everything in the same way.
async fn agent(status: axum::http::StatusCode, body: &'static str) -> String {
    let app = axum::Router::new().fallback(async move || (status, body));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}")
}

#[tokio::test]
async fn an_error_of_the_servers_may_hide_that_it_was_done() {
    use axum::http::StatusCode;
    for (status, reached) in [
        (StatusCode::FORBIDDEN, false),
        (StatusCode::NOT_FOUND, false),
        (StatusCode::INTERNAL_SERVER_ERROR, true),
        (StatusCode::GATEWAY_TIMEOUT, true),
    ] {
        let url = agent(status, "").await;
        let told = agents([&*url], None).maintain(&url, "a", Some("why")).await;
        assert_eq!(told.unwrap_err().reached, reached, "{status}");
    }
}

#[tokio::test]
async fn an_instances_own_maintenance_is_not_its_nodes() {
    use axum::http::StatusCode;
    let of_node = agent(StatusCode::OK, r#"{"_node_maintenance": {}}"#).await;
    let own = agent(StatusCode::OK, r#"{"_service_maintenance:a": {}}"#).await;
    let nobody = agent(StatusCode::FORBIDDEN, "no").await;
    let agents = agents(["https://127.0.0.1:8501"], None);
    assert!(!agents.is_in_maintenance(&of_node, "a").await.unwrap());
    assert!(!agents.is_in_maintenance(&own, "b").await.unwrap());
    assert!(agents.is_in_maintenance(&own, "a").await.unwrap());
    assert!(agents.is_in_maintenance(&nobody, "a").await.is_err());
}

#[tokio::test]
async fn a_node_is_forgotten_only_if_consul_says_so() {
    use axum::http::StatusCode;
    for (status, body) in [
        (StatusCode::OK, "null"),
        (StatusCode::OK, "[]"),
        (StatusCode::INTERNAL_SERVER_ERROR, "[]"),
        (StatusCode::OK, r#"["dc1"]"#),
    ] {
        let url = agent(status, body).await;
        assert!(!agents([&*url], None).is_forgotten("n").await, "{body}");
    }
}

#[tokio::test]
async fn whoever_of_several_answers_says_whose_agent_it_is() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let mut one = Scripted::start().await;
    let mut other = Scripted::start().await;
    let agents = agents([&gone, &one.address, &other.address], None);
    let answering = async {
        for (agent, node) in [(&mut one, "node-1"), (&mut other, "node-2")] {
            let asked = agent.query().await;
            assert_eq!(asked.service, "/v1/agent/self");
            asked.reply(200, "", &format!(r#"{{"Config":{{"NodeName":"{node}"}}}}"#));
        }
    };
    let (own, ()) = tokio::join!(agents.own_nodes(), answering);
    let url = |node| agents.url(&own, node, "10.0.0.1").unwrap();
    assert_eq!(url("node-1"), one.address);
    assert_eq!(url("node-2"), other.address);
    assert!(url("node-3").starts_with("http://10.0.0.1:"));
}
