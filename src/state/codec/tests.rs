use super::super::tests::{origin, saved};
use super::*;

fn bytes() -> Vec<u8> {
    encode(&origin(), saved()).unwrap()
}

#[test]
fn what_is_encoded_is_decoded() {
    assert_eq!(decode(&bytes()).unwrap(), (origin(), saved()));
}

/// Whoever changes these bytes, by more than a field that may be missing, has to raise `FORMAT`, or a version cannot read what the
/// one before wrote.
#[test]
fn the_format_is_this() {
    let expected = concat!(
        r#"{"origin":{"store":{"etcd":{"endpoints":["http://10.0.0.5:2379","http://10.0.0.6:2379"],"#,
        r#""prefix":"/chancery"}},"consul":["http://127.0.0.1:8500"]},"revision":42,"as_of":1700000000,"#,
        r#""documents":["#,
        r#"{"path":"routes/echo","source":"/chancery/routes/echo","format":"json","revision":40,"value":"{\"uri\":\"/echo\"}"},"#,
        r#"{"path":"routes/yaml","source":"/chancery/routes/yaml","format":"yaml","revision":3,"value":"uri: /yaml"},"#,
        r#"{"path":"routes/bytes","source":"/chancery/routes/bytes","format":"json","revision":41,"value":[255,0,123]},"#,
        r#"{"path":"routes/bad","source":"/chancery/routes/bad","format":"json","revision":42,"value":"{","#,
        r#""good":{"format":"json","revision":7,"value":"{\"uri\":\"/good\"}"}}],"#,
        r#""answers":[{"registry":"consul","service":"echo","datacenter":"dc2","namespace":"team","partition":"part","near":"_agent","#,
        r#""as_of":1700000100,"instances":["#,
        r#"{"id":"node-1/echo-1","address":"10.0.0.1","port":1,"status":"warning","weight":3,"region":"eu","zone":"dc1","tags":["v2"],"metadata":{"version":"v2"},"#,
        r#""tagged":{"wan":"192.0.2.1:1"},"service_id":"echo-1","node":"node-1","node_address":"10.0.0.9"},"#,
        r#"{"id":"node-1/echo-2","address":"10.0.0.1","port":2,"status":"warning","weight":3,"region":"eu","zone":"dc1","tags":["v2"],"metadata":{"version":"v2"},"#,
        r#""tagged":{"wan":"192.0.2.1:2"},"service_id":"echo-2","node":"node-1","node_address":"10.0.0.9"}]},"#,
        r#"{"registry":"consul","service":"nobody","datacenter":"dc2","namespace":"team","partition":"part","near":"_agent","as_of":1700000100,"instances":[]}],"#,
        r#""acceptances":[{"gateway":"edge","cohort":"envoy 1.40.0+000000ff","nodes":["one","two"],"versions":{"#,
        r#""clusters":"aa2c40c2a4268fcaf07dc6dd6632be92","endpoints":"50e4ca5dc761ff03a65946d879c7aedf","#,
        r#""extensions":"47f2c85a6534b6d4bbcfb52f6a53e976","listeners":"f13103da776720e650866dfabfe25455","#,
        r#""routes":"8a592e50b455e3c9b110f3209b633d6c","scopes":"315feeb42c0ccc4d0b3dc91591e43a45","secrets":"ea8fdaa78bdd9c1b1e053fa8f9bc1a38"},"#,
        r#""routes":[{"id":"echo","good":[{"path":"routes/echo","source":"/chancery/routes/echo","format":"json","revision":5,"#,
        r#""value":"{\"uri\":\"/before\"}"}],"refusal":{"error":"no","nodes":["one"],"since":1700000000,"own":true}},"#,
        r#"{"id":"new","searched":true}],"#,
        r#""resources":[{"type":"clusters","name":"consul/echo","good":{"value":"YSBjbHVzdGVy","children":[["endpoints","consul/echo"]],"full_name":"echo"},"#,
        r#""refusal":{"error":"no","nodes":["one"],"since":1700000000,"own":false}},"#,
        r#"{"type":"listeners","name":"edge/http","refusal":{"error":"no","nodes":["one"],"since":1700000000,"own":true}}]}],"#,
        r#""secrets":[{"manager":"secrets/vault/1","key":"shop/jack","field":"key"}],"#,
        r#""providers":[{"address":"https://login.example.com/d","verify":true,"keys":true,"login":true,"said":"what it said"}]}"#,
    );
    let text = String::from_utf8(bytes()).unwrap();
    let (head, body) = text.split_once('\n').unwrap();
    assert!(
        head.starts_with("chancery state, format 2, xxh3 "),
        "{head}"
    );
    assert_eq!(body, expected);
}

#[test]
fn a_registry_that_was_not_asked_may_be_null() {
    let body = br#"{"origin":{"store":{"files":"/d"},"consul":null},"revision":1,"as_of":1,"documents":[],"answers":[]}"#;
    let (from, _) = decode(&[header(body).as_bytes(), body].concat()).unwrap();
    assert!(from.registries.is_empty());
}

#[test]
fn no_part_of_a_state_is_a_state() {
    let bytes = bytes();
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(decode(&[&bytes[..], b"\n"].concat()).is_err());
}

#[test]
fn no_bit_can_be_flipped() {
    let mut bytes = bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            assert!(decode(&bytes).is_err(), "bit {bit} of byte {at}");
            bytes[at] ^= 1 << bit;
        }
    }
    assert!(decode(&bytes).is_ok());
}

#[test]
fn another_format_is_named() {
    let text = String::from_utf8_lossy(&bytes()).replacen("format 2", "format 12", 1);
    let error = decode(text.as_bytes()).unwrap_err();
    assert!(matches!(&error, Error::Format(found) if found == "12"));
    assert!(error.to_string().contains("reads 2 only"), "{error}");
}

#[test]
fn what_is_no_state_is_named() {
    for other in [&b""[..], b"{}", b"\0\0\0\0", b"chancery"] {
        assert!(matches!(decode(other), Err(Error::Foreign)), "{other:?}");
    }
    let sound = [header(b"{}").as_bytes(), b"{}"].concat();
    assert!(matches!(decode(&sound), Err(Error::Body(_))));
}
