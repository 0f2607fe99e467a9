//! What programs read of an error: the details of a gRPC status, as the format of Google's APIs
//! has them. ADBC hands them on; clients in Go take the text from there, so it is repeated.

use std::collections::HashMap;

use bytes::Bytes;
use prost::Message;
use tonic::Code;

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Packed>,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, Message)]
struct Packed {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

/// `google.rpc.ErrorInfo`
#[derive(Clone, PartialEq, Message)]
struct ErrorInfo {
    /// The SQLSTATE.
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
    /// `query_id`, `line` and `column`, where they are known.
    #[prost(map = "string, string", tag = "3")]
    metadata: HashMap<String, String>,
}

/// The details of a status with this code and text.
pub(crate) fn details(
    (code, text): (Code, &str),
    sqlstate: &str,
    facts: &[(&'static str, String)],
) -> Bytes {
    let info = ErrorInfo {
        reason: sqlstate.to_owned(),
        domain: "waterbuck".to_owned(),
        metadata: facts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    };
    let packed = Packed {
        type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
        value: info.encode_to_vec().into(),
    };
    let status = RpcStatus {
        code: code as i32,
        message: text.to_owned(),
        details: vec![packed],
    };
    status.encode_to_vec().into()
}

/// The line and the column that a text names, as all our texts name them.
pub(crate) fn place(text: &str) -> Option<(u64, u64)> {
    text.match_indices("line ").find_map(|(at, word)| {
        let (line, rest) = number(&text[at + word.len()..])?;
        let (column, _) = number(rest.strip_prefix(", column ")?)?;
        Some((line, column))
    })
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_found_in_the_text() {
        for (text, expected) in [
            ("syntax error at line 1, column 12: expected", Some((1, 12))),
            (
                "column \"m\" does not exist (line 30, column 4)",
                Some((30, 4)),
            ),
            ("line x, then line 2, column 3", Some((2, 3))),
            ("line 7 of the file", None),
            ("line ", None),
        ] {
            assert_eq!(place(text), expected, "{text}");
        }
    }

    #[test]
    fn details_are_a_status_with_an_error_info() {
        let facts = [("line", "3".to_owned())];
        let bytes = details((Code::NotFound, "gone"), "42704", &facts);
        let status = RpcStatus::decode(bytes).unwrap();
        assert_eq!((status.code, status.message.as_str()), (5, "gone"));
        let info = ErrorInfo::decode(&*status.details[0].value).unwrap();
        assert_eq!(info.reason, "42704");
        assert_eq!(info.metadata["line"], "3");
    }
}
