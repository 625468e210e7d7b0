use super::{json, problem_of};
#[test]
fn show() {
    println!("GROUP texts");
    println!(
        "{}",
        problem_of(json(r###"routes/echo"###, r###""###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"  
"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"routes/echo"###, r###"[]"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"routes/echo"###, r###""a""###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"routes/echo"###, r###"{"uri":"/a""###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"routes/echo"###, r###"{"uri":"/a"} x"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","uri":"/b"}"###))
            .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"a:1":1,"a:1":2}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"routes/echo"###, r###"init_dir"###)).unwrap_or("NONE".into())
    );
    println!("GROUP keys");
    println!(
        "{}",
        problem_of(json(r###"consumers/jack"###, r###"{}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"ssls/1"###, r###"{}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"foo/1"###, r###"{}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"routes/a b"###, r###"{}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"routes"###, r###"{"uri":"/a"}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"routes/a/b"###, r###"{}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"id":"other"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"id":7}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"id":1.5}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!("GROUP fields");
    println!(
        "{}",
        problem_of(json(r###"routes/echo"###, r###"{"urii":"/a"}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"nam":"x"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"vars":[]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"remote_addr":"1.2.3.4"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugin_config_id":"1"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"filter_func":"function"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"services/s"###, r###"{"script":"x"}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"services/s"###, r###"{"uri":"/a"}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"checks":{}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"upstreams/u"###, r###"{"nodes":{},"tls":{}}"###))
            .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"service_name":"a","discovery_type":"consul","discovery_args":{}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"gateways/g"###,
            r###"{"listeners":[],"http":{}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"name":1}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"labels":{"a":1}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"create_time":"now"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"status":2}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"status":"1"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"priority":1.5}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"priority":99999999999}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"enable_websocket":"yes"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"desc":null}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!("GROUP matching");
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"upstream":{"nodes":{"10.0.0.1:80":1}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","uris":["/b"],"upstream":{"nodes":{"10.0.0.1:80":1}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uris":[],"upstream":{"nodes":{"10.0.0.1:80":1}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uris":["/a","/b","/a"],"upstream":{"nodes":{"10.0.0.1:80":1}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":1,"upstream":{"nodes":{"10.0.0.1:80":1}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"a","upstream":{"nodes":{"10.0.0.1:80":1}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a*b","upstream":{"nodes":{"10.0.0.1:80":1}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/user/:id","upstream":{"nodes":{"10.0.0.1:80":1}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a?b=1","upstream":{"nodes":{"10.0.0.1:80":1}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a b","upstream":{"nodes":{"10.0.0.1:80":1}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/ä","upstream":{"nodes":{"10.0.0.1:80":1}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"","upstream":{"nodes":{"10.0.0.1:80":1}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":"a:80"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":"*"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":"*example.com"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":"a..b"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":"a/b"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":""}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":"a","hosts":["b"]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"hosts":["a","b","A"]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"methods":["get"]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"methods":["GET","GET"]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"methods":"GET"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"gateways":["a b"]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"gateways":["edge","edge"]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!("GROUP targets");
    println!(
        "{}",
        problem_of(json(r###"routes/echo"###, r###"{"uri":"/a"}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"upstream_id":"u"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream_id":"u"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream_id":5}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","service_id":"s"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream_id":null}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"services/s"###, r###"{"upstream_id":"u"}"###))
            .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"services/s"###,
            r###"{"upstream_id":"u","upstream":{"nodes":{"10.0.0.1:80":1}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!("GROUP upstreams");
    println!(
        "{}",
        problem_of(json(r###"upstreams/u"###, r###"{}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"service_name":"a","discovery_type":"consul"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"discovery_type":"consul"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"upstreams/u"###, r###"{"service_name":"a"}"###))
            .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"service_name":"a","discovery_type":"dns"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"service_name":"../a","discovery_type":"file"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"service_name":"","discovery_type":"file"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"upstreams/u"###, r###"{"nodes":7}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":[{"host":"a","port":0,"weight":1}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":[{"host":"a","port":80}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":[{"host":"a","port":80,"weight":"1"}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"upstreams/u"###, r###"{"nodes":[{"hos":"a"}]}"###))
            .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":[{"host":"a b","port":80,"weight":1}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":[{"host":"1.2.3","port":80,"weight":1}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":[{"host":"a","port":80,"weight":1},{"host":"A","weight":1}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"upstreams/u"###, r###"{"nodes":{"a:0":1}}"###))
            .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"upstreams/u"###, r###"{"nodes":{"a:http":1}}"###))
            .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"upstreams/u"###, r###"{"nodes":{"a:80":-1}}"###))
            .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"upstreams/u"###, r###"{"nodes":{"a:80":1.5}}"###))
            .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{"a:80":2000000}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"type":"ewma"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"upstreams/u"###, r###"{"nodes":{},"type":3}"###))
            .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"type":"chash","key":"uri"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"type":"chash","hash_on":"header"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"type":"chash","hash_on":"cookie","key":"a b"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"type":"chash","hash_on":"consumer"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"scheme":"grpcs"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"pass_host":"rewrite"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"pass_host":"keep"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"pass_host":"rewrite","upstream_host":"a b"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"retries":-1}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"retry_timeout":-1}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"retry_timeout":"1"}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"timeout":{"connect":0,"send":1,"read":1}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"timeout":{"connect":1,"send":1e9,"read":1}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"timeout":{"connect":6}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"timeout":6}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"keepalive_pool":{"size":0}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"keepalive_pool":{"idle_timeout":0}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"upstreams/u"###,
            r###"{"nodes":{},"keepalive_pool":{"requests":"many"}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":[{"host":"a","port":0,"weight":1}]}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":[]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!("GROUP gateways");
    println!(
        "{}",
        problem_of(json(r###"gateways/g"###, r###"{}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(r###"gateways/g"###, r###"{"listeners":[]}"###)).unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"gateways/g"###,
            r###"{"listeners":[{"name":"http"}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"gateways/g"###,
            r###"{"listeners":[{"name":"http","port":70000}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"gateways/g"###,
            r###"{"listeners":[{"name":"a b","port":80}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"gateways/g"###,
            r###"{"listeners":[{"name":"http","port":80,"address":"localhost"}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"gateways/g"###,
            r###"{"listeners":[{"name":"http","port":80,"protocol":"https"}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"gateways/g"###,
            r###"{"listeners":[{"name":"http","port":80,"http3":true}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"gateways/g"###,
            r###"{"listeners":[{"name":"http","port":80},{"name":"http","port":81}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!(
        "{}",
        problem_of(json(
            r###"gateways/g"###,
            r###"{"listeners":[{"name":"a","port":80},{"name":"b","port":80}]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!("GROUP plugins");
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":[]}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"limit-count":{}}}"###)).unwrap_or("NONE".into()));
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":true}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{"uri":"/b","_meta":{"priority":1}}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{"uri":"/b","_meta":{"disable":1}}}}"###)).unwrap_or("NONE".into()));
    println!("GROUP proxy_rewrite");
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"url":"/b"}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"method":"POST"}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"scheme":"https"}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"use_real_request_uri_unsafe":true}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"uri":"b"}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"uri":"/b?c=1"}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"uri":"/b/$arg_x"}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"host":"a b"}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":"^/a"}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["^/a"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["^/a","/b","^/c","/d"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["^/(?=a)","/b"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["^/(a)\\1","/b"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["^/(a","/b"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["a++","/b"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["a{1001}","/b"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["(?x)a","/b"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["[a[b]]","/b"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["[a&&b]","/b"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["\\pL","/b"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["ä","/b"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["","/b"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["^/(a)","/$2"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["^/(a)","/$x"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["^/(a)","/${1"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["^/(a)","/$1?b=1"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["^/(a)","b"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"regex_uri":["/(1)(2)(3)(4)(5)(6)(7)(8)(9)","/$9"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"headers":[]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"headers":{"X-A":"$foo"}}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"headers":{"X-A":["a"]}}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"headers":{"X-A":""}}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"headers":{"set":{"X:A":"1"}}}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"headers":{"set":{"X-A":"1","x-a":"2"}}}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"headers":{"set":{"Authorization":"secret\u0001"}}}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"headers":{"set":{"Host":"a"}}}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"headers":{"remove":["a b"]}}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"headers":{"add":{"X-A":"1"},"replace":{}}}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"proxy-rewrite":{"headers":{"X-A":"\\$host"}}}}"###)).unwrap_or("NONE".into()));
    println!("GROUP redirect");
    println!(
        "{}",
        problem_of(json(
            r###"routes/echo"###,
            r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{}}}"###
        ))
        .unwrap_or("NONE".into())
    );
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{"http_to_https":true,"uri":"/b"}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{"http_to_https":true,"append_query_string":true}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{"uri":"/b","ret_code":304}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{"uri":"/b","ret_code":"302"}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{"uri":""}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{"uri":"/a b"}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{"uri":"/b/$nothing"}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{"uri":"/b?c=1","append_query_string":true}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{"uri":"/b$uri","append_query_string":true}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{"regex_uri":["^/b/(.*)","/c/$1"]}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"redirect":{"regex_uri":["^/b/(.*)"]}}}"###)).unwrap_or("NONE".into()));
    println!("GROUP mocking");
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"mocking":{"delay":3}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"mocking":{"response_schema":{}}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"mocking":{"response_status":100}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"mocking":{"response_example":"$remote_addr"}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"mocking":{"response_example":{}}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"mocking":{"content_type":""}}}"###)).unwrap_or("NONE".into()));
    println!("{}", problem_of(json(r###"routes/echo"###, r###"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugins":{"mocking":{"response_headers":{"X A":"b"}}}}"###)).unwrap_or("NONE".into()));
}
