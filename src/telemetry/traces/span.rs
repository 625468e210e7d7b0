//! One span: a step of a trace, from when to when, and what is said of it. Never what documents hold.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use opentelemetry::trace::TraceState;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::context::Step;

/// A step of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub step: Step,
    pub name: &'static str,
    pub began: Instant,
    pub ended: Instant,
    pub attributes: Vec<(&'static str, Value)>,
    /// Why the step failed, if it did.
    pub error: Option<String>,
}

/// What is said of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(Arc<str>),
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<&Arc<str>> for Value {
    fn from(text: &Arc<str>) -> Self {
        Self::Text(text.clone())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(number.try_into().unwrap_or(i64::MAX))
    }
}

impl Span {
    pub fn new(step: Step, name: &'static str, began: Instant, ended: Instant) -> Self {
        Self {
            step,
            name,
            began,
            ended: ended.max(began),
            attributes: Vec::new(),
            error: None,
        }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// The same, of a step that failed if there is a reason.
    #[must_use]
    pub fn failed(mut self, error: Option<String>) -> Self {
        self.error = error;
        self
    }

    /// As it is sent, given what time it is.
    pub(super) fn data(self, (now, wall): (Instant, SystemTime)) -> SpanData {
        let at = |moment| {
            let ago = now.saturating_duration_since(moment);
            wall.checked_sub(ago).unwrap_or(wall)
        };
        let own = self.step.own;
        let attributes = self
            .attributes
            .into_iter()
            .map(|(name, value)| match value {
                Value::Text(text) => KeyValue::new(name, text),
                Value::Number(number) => KeyValue::new(name, number),
            });
        SpanData {
            span_context: SpanContext::new(
                TraceId::from(own.trace),
                SpanId::from(own.span),
                TraceFlags::SAMPLED,
                false,
                TraceState::default(),
            ),
            parent_span_id: self.step.parent.map_or(SpanId::INVALID, SpanId::from),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: self.name.into(),
            start_time: at(self.began),
            end_time: at(self.ended),
            attributes: attributes.collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: self.error.map_or(Status::Unset, Status::error),
            instrumentation_scope: InstrumentationScope::builder("chancery").build(),
        }
    }
}
