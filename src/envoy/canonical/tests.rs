use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{Metadata, TypedExtensionConfig};
use envoy_types::pb::envoy::config::route::v3::{
    Route, RouteConfiguration, RouteList, VirtualHost,
};
use envoy_types::pb::google::protobuf::{Any, Struct, Value, value::Kind};
use prost::{Message, Name};

use super::*;

/// A fresh `HashMap`, and with it a fresh order.
fn map<V: Clone>(value: &V) -> HashMap<String, V> {
    (0..10)
        .map(|key| (format!("key-{key}"), value.clone()))
        .collect()
}

/// Packs a message whose maps are in order already.
fn ordered_any<M: Message + Name>(message: &M) -> Any {
    Any {
        type_url: M::type_url(),
        value: canonical(message).into(),
    }
}

/// Maps in every place: at the top, in a repeated message, as the values of a map, inside `Any` inside a map.
fn nested() -> RouteConfiguration {
    packed_by(any, any)
}

/// The same, with the two types of what is packed in it packed in these ways.
fn packed_by(
    pack: impl Fn(&Struct) -> Any,
    pack_routes: impl Fn(&RouteList) -> Any,
) -> RouteConfiguration {
    let number = Value {
        kind: Some(Kind::NumberValue(1.0)),
    };
    let fields = Struct {
        fields: map(&Value {
            kind: Some(Kind::StructValue(Struct {
                fields: map(&number),
            })),
        }),
    };
    let route = Route {
        name: "route/a".into(),
        metadata: Some(Metadata {
            filter_metadata: map(&fields),
            ..Metadata::default()
        }),
        typed_per_filter_config: map(&pack(&fields)),
        ..Route::default()
    };
    let extension = TypedExtensionConfig {
        name: "x".into(),
        typed_config: Some(pack(&fields)),
    };
    RouteConfiguration {
        name: "default".into(),
        virtual_hosts: vec![VirtualHost {
            routes: vec![route.clone()],
            ..VirtualHost::default()
        }],
        typed_per_filter_config: map(&pack_routes(&RouteList {
            routes: vec![route],
        })),
        route_specifiers: vec![extension],
        ..RouteConfiguration::default()
    }
}

#[test]
fn equal_messages_have_equal_bytes() {
    let first = canonical(&nested());
    assert_ne!(
        nested().encode_to_vec(),
        nested().encode_to_vec(),
        "maps do not vary here: the test shows nothing"
    );
    for _ in 0..20 {
        assert_eq!(canonical(&nested()), first);
    }
}

#[test]
fn what_is_packed_is_put_in_order_with_what_holds_it() {
    let first = canonical(&packed_by(ordered_any, ordered_any));
    for _ in 0..20 {
        assert_eq!(canonical(&nested()), first);
    }
}

#[test]
fn the_message_stays_the_same() {
    let route = Route {
        name: "route/a".into(),
        metadata: None,
        typed_per_filter_config: map(&Any::default()),
        ..Route::default()
    };
    assert_eq!(Route::decode(canonical(&route)).unwrap(), route);

    let fields = Struct {
        fields: map(&Value {
            kind: Some(Kind::BoolValue(true)),
        }),
    };
    let packed = any(&fields);
    assert_eq!(
        packed.type_url,
        "type.googleapis.com/google.protobuf.Struct"
    );
    assert_eq!(Struct::decode(packed.value.as_slice()).unwrap(), fields);
    assert_eq!(canonical(&nested()).len(), nested().encoded_len());
}

#[test]
fn an_any_of_a_type_nobody_knows_passes_as_it_is() {
    let strange = Any {
        type_url: "type.googleapis.com/example.Strange".into(),
        value: vec![0xff, 0x07],
    };
    let extension = TypedExtensionConfig {
        name: "x".into(),
        typed_config: Some(strange),
    };
    assert_eq!(
        TypedExtensionConfig::decode(canonical(&extension)).unwrap(),
        extension
    );
}

#[test]
fn bytes_that_are_no_message_pass_as_they_are() {
    assert!(ordered(&Route::full_name(), &[0x0a, 0x7f, 0x00]).is_none());
}
