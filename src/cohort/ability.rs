//! What not every Envoy can do: the one table of it. Measured with 1.36.4, 1.37.0, 1.38.3, 1.39.3 and 1.40.0, by what each
//! says of the golden cases and by which route it takes; what has no line here, all of them do.

use super::Envoy;

/// Something that some of the Envoys cannot do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ability {
    /// `RouteMatch.cookies`
    Cookies,
    /// `CustomTag.value`
    SpanTags,
    /// `Listener.tcp_keepalive`
    ListenerKeepalive,
    /// `HttpService.path_override` of the filter that asks a service.
    PathOfCheck,
    /// The filter `oauth2`, as a route configures it.
    Logins,
    /// A header that comes several times, value by value.
    RepeatedHeaders,
    /// `DirectResponseAction.body_format`
    BodyFormat,
    /// `RouteAction.path_rewrite`
    PathFormat,
    /// The filter `filter_chain`, which a place is.
    Places,
    /// `Compressor`: `content_type_matcher`
    MediaTypes,
    /// `FaultAbort.response_body`
    BodyOfAbort,
    /// The reason of an answer for want of a known key, spelled right.
    ReasonOfUnknownKey,
    /// The filter `body_size_limit`.
    BodySize,
    /// The filter `router` within `filter_chain`.
    RouterInPlace,
    /// A listener that serves turns to scopes (SRDS).
    Scopes,
}

impl Ability {
    pub const ALL: [Self; 15] = [
        Self::Cookies,
        Self::SpanTags,
        Self::ListenerKeepalive,
        Self::PathOfCheck,
        Self::Logins,
        Self::RepeatedHeaders,
        Self::BodyFormat,
        Self::PathFormat,
        Self::Places,
        Self::MediaTypes,
        Self::BodyOfAbort,
        Self::ReasonOfUnknownKey,
        Self::BodySize,
        Self::RouterInPlace,
        Self::Scopes,
    ];

    /// The oldest Envoy that can do it, and what those before do instead.
    const fn row(self) -> (Envoy, &'static str) {
        match self {
            Self::Cookies => (
                Envoy::V1_37,
                "older ones ignore what a route asks of cookies, and would match without them",
            ),
            Self::SpanTags => (
                Envoy::V1_37,
                "older ones know no tag of a span that is made of a text",
            ),
            Self::ListenerKeepalive => {
                (Envoy::V1_37, "older ones send no TCP keepalive to clients")
            }
            Self::PathOfCheck => (
                Envoy::V1_38,
                "older ones ask with the path of the request, whatever the path of the service",
            ),
            Self::Logins => (Envoy::V1_38, "older ones cannot have a route log people in"),
            Self::RepeatedHeaders => (
                Envoy::V1_39,
                "older ones take a header that comes several times for one text, which may pass where no value does",
            ),
            Self::BodyFormat => (
                Envoy::V1_37,
                "older ones answer with no text that is made of variables",
            ),
            Self::PathFormat => (
                Envoy::V1_37,
                "older ones write no path that is made of variables",
            ),
            Self::Places => (
                Envoy::V1_39,
                "in older ones a route cannot have a filter of its own",
            ),
            Self::MediaTypes => (
                Envoy::V1_40,
                "older ones do not take the media types of what they compress as a route has them",
            ),
            Self::BodyOfAbort => (
                Envoy::V1_40,
                "older ones do not take the body of an injected answer",
            ),
            Self::ReasonOfUnknownKey => (Envoy::V1_40, "older ones call it `unkonwn_api_key`"),
            Self::BodySize => (
                Envoy::V1_40,
                "older ones do not bound a body while it passes",
            ),
            Self::RouterInPlace => (
                Envoy::V1_40,
                "in older ones a route cannot have a log of its own",
            ),
            Self::Scopes => (
                Envoy::V1_40,
                "1.36 does not ask for the scopes of a listener that served without before, and answers 404; those between were not measured",
            ),
        }
    }

    /// What a document that needs it needs, for the person who wrote it.
    pub fn needed(self) -> String {
        let (since, otherwise) = self.row();
        format!("needs Envoy {} or newer: {otherwise}", since.as_str())
    }
}

impl Envoy {
    pub fn can(self, ability: Ability) -> bool {
        self >= ability.row().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_can_do_everything_and_the_oldest_nothing_of_it() {
        for ability in Ability::ALL {
            assert!(Envoy::NEWEST.can(ability), "{ability:?}");
            assert!(!Envoy::OLDEST.can(ability), "{ability:?}");
        }
        assert!(Envoy::V1_39.can(Ability::Places));
        assert!(!Envoy::V1_39.can(Ability::RouterInPlace));
        assert_eq!(
            Ability::Cookies.needed(),
            "needs Envoy 1.37 or newer: older ones ignore what a route asks of cookies, and would match without them"
        );
    }
}
