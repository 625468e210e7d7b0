//! What Envoy writes down of each request.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::accesslog::v3::{
    AccessLog, AccessLogFilter, ComparisonFilter, DurationFilter, OrFilter, StatusCodeFilter,
    access_log::ConfigType, access_log_filter::FilterSpecifier, comparison_filter::Op,
};
use envoy_types::pb::envoy::config::core::v3::{
    DataSource, RuntimeUInt32, SubstitutionFormatString, data_source::Specifier as Source,
    substitution_format_string::Format as Specifier,
};
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::{
    FileAccessLog, file_access_log,
};
use envoy_types::pb::envoy::extensions::access_loggers::stream::v3::{
    StderrAccessLog, StdoutAccessLog, stderr_access_log, stdout_access_log,
};
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};

use crate::envoy::any;
use crate::model::gateway;
use crate::model::gateway::access_log::{Format, Target};

pub(super) fn access_log(log: &gateway::AccessLog) -> AccessLog {
    let format = format(&log.format);
    let (name, config) = match &log.target {
        Target::Stdout => (
            "envoy.access_loggers.stdout",
            any(&StdoutAccessLog {
                access_log_format: Some(stdout_access_log::AccessLogFormat::LogFormat(format)),
            }),
        ),
        Target::Stderr => (
            "envoy.access_loggers.stderr",
            any(&StderrAccessLog {
                access_log_format: Some(stderr_access_log::AccessLogFormat::LogFormat(format)),
            }),
        ),
        Target::File(path) => (
            "envoy.access_loggers.file",
            any(&FileAccessLog {
                path: path.clone(),
                access_log_format: Some(file_access_log::AccessLogFormat::LogFormat(format)),
            }),
        ),
    };
    AccessLog {
        name: name.to_owned(),
        filter: filter(log),
        config_type: Some(ConfigType::TypedConfig(config)),
    }
}

fn format(format: &Format) -> SubstitutionFormatString {
    let specifier = match format {
        Format::Line(line) => Specifier::TextFormatSource(DataSource {
            specifier: Some(Source::InlineString(line.clone())),
            ..DataSource::default()
        }),
        Format::Fields(fields) => Specifier::JsonFormat(object(fields)),
    };
    SubstitutionFormatString {
        format: Some(specifier),
        ..SubstitutionFormatString::default()
    }
}

fn object(fields: &BTreeMap<String, String>) -> Struct {
    let field = |(name, value): (&String, &String)| {
        let kind = Some(Kind::StringValue(value.clone()));
        (name.clone(), Value { kind })
    };
    Struct {
        fields: fields.iter().map(field).collect(),
    }
}

/// What is worth a line: each by itself.
fn filter(log: &gateway::AccessLog) -> Option<AccessLogFilter> {
    let status = log.min_status.map(|status| {
        FilterSpecifier::StatusCodeFilter(StatusCodeFilter {
            comparison: Some(at_least(status, "chancery.access_log.min_status")),
        })
    });
    let duration = log.min_duration.map(|duration| {
        let millis = u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        FilterSpecifier::DurationFilter(DurationFilter {
            comparison: Some(at_least(millis, "chancery.access_log.min_duration")),
        })
    });
    let filter = |specifier| AccessLogFilter {
        filter_specifier: Some(specifier),
    };
    match (status, duration) {
        (Some(status), Some(duration)) => Some(filter(FilterSpecifier::OrFilter(OrFilter {
            filters: vec![filter(status), filter(duration)],
        }))),
        (one, other) => one.or(other).map(filter),
    }
}

/// The key is one of Envoy's runtime, which Envoy demands.
fn at_least(value: u32, key: &str) -> ComparisonFilter {
    ComparisonFilter {
        op: Op::Ge.into(),
        value: Some(RuntimeUInt32 {
            default_value: value,
            runtime_key: key.to_owned(),
        }),
    }
}
