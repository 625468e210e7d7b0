use super::Piece::{Text, Variable};
use super::{none_in, operator, operator_of_answer, operator_of_request, pieces};

#[test]
fn a_text_is_taken_apart_at_its_variables() {
    let table = [
        ("", vec![]),
        ("/a", vec![Text("/a")]),
        ("$uri", vec![Variable("uri")]),
        ("/a$uri/b", vec![Text("/a"), Variable("uri"), Text("/b")]),
        ("${uri}b", vec![Variable("uri"), Text("b")]),
        ("$a$b", vec![Variable("a"), Variable("b")]),
        ("5$ $", vec![Text("5$ $")]),
        ("${uri", vec![Text("${uri")]),
        ("${}", vec![Text("${}")]),
        ("$$uri", vec![Text("$"), Variable("uri")]),
        ("ä$uri", vec![Text("ä"), Variable("uri")]),
    ];
    for (text, expected) in table {
        assert_eq!(pieces(text), Ok(expected), "of {text}");
    }
}

#[test]
fn headers_are_named_with_dashes() {
    assert_eq!(operator("http_x_user_id"), Ok("%REQ(x-user-id)%".into()));
    assert_eq!(operator("http_host"), Ok("%REQ(:AUTHORITY)%".into()));
    assert!(operator("http_").is_err());
}

#[test]
fn arguments_and_cookies_are_taken_as_the_client_wrote_them() {
    assert_eq!(
        operator("arg_user_id").unwrap(),
        r"%CEL(re.extract(request.query, '(?:^|&)(?i:user_id)=([^&]*)', '\\1'))%"
    );
    assert_eq!(
        operator("cookie_a").unwrap(),
        r"%CEL(re.extract(request.headers['cookie'], '(?:^|; *)(?i:a)=([^;]*)', '\\1'))%"
    );
    assert!(operator("arg_").is_err());
}

#[test]
fn a_variable_is_refused_where_envoy_takes_none() {
    assert_eq!(none_in("costs 5$"), Ok(()));
    assert_eq!(
        none_in("/$arg_x"),
        Err("found the variable `$arg_x`, allowed: no variables here".into())
    );
}

#[test]
fn what_is_refused_says_what_is_there_besides() {
    assert_eq!(
        operator_of_answer("balancer_port"),
        Ok("%UPSTREAM_REMOTE_PORT%".into())
    );
    let said = operator_of_answer("ssl_client_s_dn").unwrap_err();
    assert!(
        said.ends_with("$uri, $balancer_ip, $balancer_port, $status, $upstream_addr"),
        "{said}"
    );
    assert_eq!(
        operator_of_request("ssl_client_s_dn"),
        Ok("%DOWNSTREAM_PEER_SUBJECT%".into())
    );
    let said = operator_of_request("status").unwrap_err();
    assert!(said.ends_with("$ssl_protocol, $ssl_server_name"), "{said}");
}
