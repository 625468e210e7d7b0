use std::time::{Duration, Instant, SystemTime};

use super::*;

const W3C: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn a_traceparent_is_read_as_w3c_has_it_and_written_as_it_was() {
    let context: Context = W3C.parse().unwrap();
    assert_eq!(context.trace, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
    assert_eq!(context.span, 0xb7ad_6b71_6920_3331);
    assert!(context.is_sampled);
    assert_eq!(context.to_string(), W3C);
    let (begin, unsampled) = (&W3C[..53], W3C.replace("-01", "-00"));
    assert!(!unsampled.parse::<Context>().unwrap().is_sampled);
    // Versions to come may add to it.
    let later = format!("cc{}-and-more", &W3C[2..]);
    assert_eq!(later.parse(), Ok(context));
    let zeros = "0".repeat(32);
    for wrong in [
        "",
        "00",
        begin,
        &format!("{W3C}-more"),
        &format!("ff{}", &W3C[2..]),
        &W3C.to_uppercase(),
        &W3C.replace("0af7", "+af7"),
        &W3C.replace("b7ad6b7169203331", &zeros[..16]),
        &W3C.replace("0af7651916cd43dd8448eb211c80319c", &zeros),
        &W3C.replace("0af7", "é7"),
    ] {
        assert!(wrong.parse::<Context>().is_err(), "{wrong}");
    }
}

#[test]
fn a_step_is_below_another_or_begins_a_trace() {
    let context: Context = W3C.parse().unwrap();
    let step = Step::of(Some(context)).unwrap();
    assert_eq!(step.own.trace, context.trace);
    assert_eq!(step.parent, Some(context.span));
    assert_ne!(step.own.span, context.span);
    let unwanted = Context {
        is_sampled: false,
        ..context
    };
    assert_eq!(Step::of(Some(unwanted)), None);
    assert_eq!(Step::of(None).unwrap().parent, None);
}

#[test]
fn whoever_hands_spans_over_never_waits_and_what_is_lost_is_counted() {
    let dropped = Dropped::default();
    let (tracer, mut received) = Tracer::new(dropped.clone());
    let now = Instant::now();
    let span = || Span::new(Step::first(), "ack", now, now);
    tracer.send((0..QUEUE + 5).map(|_| span()));
    let reason = "queue";
    assert_eq!(dropped.get_or_create(&Reason { reason }).get(), 5);
    received.try_recv().unwrap();
    tracer.send([span()]);
    assert_eq!(dropped.get_or_create(&Reason { reason }).get(), 5);
    assert!(!Tracer::default().is_on());
}

#[test]
fn a_span_is_sent_with_the_time_of_the_day() {
    let (now, wall) = (Instant::now(), SystemTime::now());
    let second = Duration::from_secs(1);
    let began = now.checked_sub(3 * second).unwrap();
    let step = Step::of(W3C.parse().ok()).unwrap();
    let span = Span::new(step, "nack", began, now.checked_sub(second).unwrap());
    let span = span.with("chancery.node", "a").failed(Some("no".into()));
    let data = span.data((now, wall));
    assert_eq!(data.start_time, wall - 3 * second);
    assert_eq!(data.end_time, wall - second);
    let shown = format!("{data:?}");
    assert!(shown.contains("b7ad6b7169203331"), "{shown}");
    assert!(shown.contains("chancery.node"), "{shown}");
    let collector = Collector {
        url: "http://user:planted@collector:4317".into(),
        protocol: Protocol::Grpc,
    };
    assert!(!format!("{collector:?}").contains("planted"));
}
