//! Protocol messages that the `arrow-flight` crate does not generate.

use std::collections::HashMap;

use arrow_flight::sql::Any;
use bytes::Bytes;
use prost::Message;

use super::backend::OptionValue;
use super::status::malformed;

/// The answer to CreatePreparedStatement, with the field that tells updates from queries.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PreparedStatementResult {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) handle: Bytes,
    /// An encapsulated IPC message, or nothing at all for an update.
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) dataset_schema: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) parameter_schema: Bytes,
    #[prost(bool, optional, tag = "4")]
    pub(super) is_update: Option<bool>,
}

impl PreparedStatementResult {
    pub(super) fn into_any(self) -> Any {
        Any {
            type_url: "type.googleapis.com/arrow.flight.protocol.sql.\
                       ActionCreatePreparedStatementResult"
                .to_owned(),
            value: self.encode_to_vec().into(),
        }
    }
}

/// One session option; no value at all restores the default.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SessionOptionValue {
    #[prost(oneof = "option_value::Kind", tags = "1, 2, 3, 4, 5")]
    pub(super) value: Option<option_value::Kind>,
}

pub(super) mod option_value {
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(in super::super) enum Kind {
        #[prost(string, tag = "1")]
        Text(String),
        #[prost(bool, tag = "2")]
        Bool(bool),
        #[prost(sfixed64, tag = "3")]
        Int(i64),
        #[prost(double, tag = "4")]
        Double(f64),
        #[prost(message, tag = "5")]
        List(super::StringList),
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StringList {
    #[prost(string, repeated, tag = "1")]
    pub(super) values: Vec<String>,
}

impl From<OptionValue> for SessionOptionValue {
    fn from(value: OptionValue) -> Self {
        let kind = match value {
            OptionValue::Text(text) => option_value::Kind::Text(text),
            OptionValue::Bool(value) => option_value::Kind::Bool(value),
            OptionValue::Int(value) => option_value::Kind::Int(value),
            OptionValue::Double(value) => option_value::Kind::Double(value),
            OptionValue::List(values) => option_value::Kind::List(StringList { values }),
        };
        Self { value: Some(kind) }
    }
}

impl SessionOptionValue {
    pub(super) fn into_value(self) -> Option<OptionValue> {
        self.value.map(|kind| match kind {
            option_value::Kind::Text(text) => OptionValue::Text(text),
            option_value::Kind::Bool(value) => OptionValue::Bool(value),
            option_value::Kind::Int(value) => OptionValue::Int(value),
            option_value::Kind::Double(value) => OptionValue::Double(value),
            option_value::Kind::List(list) => OptionValue::List(list.values),
        })
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SetSessionOptionsRequest {
    #[prost(map = "string, message", tag = "1")]
    pub(super) session_options: HashMap<String, SessionOptionValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SetSessionOptionsResult {
    /// The options that could not be set.
    #[prost(map = "string, message", tag = "1")]
    pub(super) errors: HashMap<String, OptionError>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OptionError {
    #[prost(enumeration = "OptionErrorKind", tag = "1")]
    pub(super) value: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum OptionErrorKind {
    Unspecified = 0,
    InvalidName = 1,
    InvalidValue = 2,
    Error = 3,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    pub(super) session_options: HashMap<String, SessionOptionValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CloseSessionResult {
    #[prost(enumeration = "CloseStatus", tag = "1")]
    pub(super) status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum CloseStatus {
    Unspecified = 0,
    Closed = 1,
    Closing = 2,
    NotCloseable = 3,
}

/// Decodes the body of an action: Flight's own are bare messages, those of Flight SQL are wrapped
/// in `Any`, and clients confuse the two, so either is taken.
pub(super) fn body<M: Message + Default>(body: &Bytes, name: &str) -> Result<M, tonic::Status> {
    let wrapped = Any::decode(&**body)
        .ok()
        .filter(|any| any.type_url.starts_with("type.googleapis.com/"))
        .map(|any| any.value);
    M::decode(wrapped.unwrap_or_else(|| Bytes::clone(body)))
        .map_err(|e| malformed(format!("the body of the action is no {name}: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int_options_are_fixed_width_on_the_wire() {
        let encoded = SessionOptionValue::from(OptionValue::Int(1)).encode_to_vec();
        assert_eq!(encoded, [3 << 3 | 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn options_round_trip() {
        for value in [
            OptionValue::Text("a".into()),
            OptionValue::Bool(false),
            OptionValue::Int(-5),
            OptionValue::Double(0.5),
            OptionValue::List(vec!["x".into(), String::new()]),
        ] {
            let bytes = SessionOptionValue::from(value.clone()).encode_to_vec();
            let back = SessionOptionValue::decode(&*bytes).unwrap().into_value();
            assert_eq!(back, Some(value));
        }
    }
}
