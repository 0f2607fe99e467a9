//! A hundred thousand damaged messages: each is answered in words, and the server lives on.
//!
//! The seeds are real messages, built as drivers build them. `WATERBUCK_SEED` repeats a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Int64Array, ListArray, NullArray,
    RecordBatch, StringArray, StringViewArray, StructArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any,
    CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTables, CommandGetXdbcTypeInfo,
    CommandPreparedStatementQuery, CommandStatementIngest, CommandStatementQuery,
    CommandStatementUpdate, TableDefinitionOptions, TableExistsOption, TableNotExistOption,
    TicketStatementQuery,
};
use arrow_flight::{
    CancelFlightInfoRequest, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo,
    RenewFlightEndpointRequest, Ticket,
};
use bytes::Bytes;
use futures::{TryStreamExt, future, stream};
use prost::Message;
use tonic::Code;
use waterbuck_tests::{Client, ClientError, Cluster, Dice, Raw, descriptor, packed, seed, within};

use crate::tables::run_all;

const MESSAGES: usize = 100_000;
/// Clients, each with a connection of its own, and what each sends at the same time.
const CLIENTS: usize = 4;
const ABREAST: usize = 8;
/// A session is left after so many messages, with all that it has come to hold.
const MESSAGES_PER_SESSION: usize = 2_000;
/// No single call takes so long, on the slowest machine.
const DEADLINE: Duration = Duration::from_secs(60);
/// The server has not grown beyond this.
const MEMORY_MAX: u64 = 3 << 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_damaged_messages_are_answered_in_words() {
    let mut cluster = Cluster::server().await;
    let admin = cluster.client().await;
    let statements = [
        "CREATE USER ann PASSWORD 'x'",
        "CREATE SCHEMA s",
        "CREATE TABLE s.t (a BIGINT, b VARCHAR)",
        "GRANT SELECT, INSERT ON s.t TO USER ann",
    ];
    run_all(&admin, &statements).await;
    let seed = seed();
    let sent = AtomicUsize::new(0);
    let attackers = (0..CLIENTS).map(|number| {
        let dice = Dice::new(seed.wrapping_add(number as u64));
        attack(&cluster, &sent, dice)
    });
    let outcomes = future::join_all(attackers).await;
    for outcome in outcomes {
        assert!(outcome.is_ok(), "WATERBUCK_SEED={seed}: {outcome:?}");
    }
    let log = cluster.logs();
    let panics = log.lines().filter(|line| line.contains("panicked"));
    let panics: Vec<_> = panics.take(5).collect();
    assert!(panics.is_empty(), "WATERBUCK_SEED={seed}: {panics:#?}");
    assert!(cluster.front().ended().is_none(), "WATERBUCK_SEED={seed}");
    let client = cluster.client().await;
    assert_eq!(client.run("SELECT 1").await.expect("alive").value(), "1");
    let memory = cluster.front().peak_memory_bytes().unwrap_or_default();
    assert!(memory < MEMORY_MAX, "WATERBUCK_SEED={seed}: {memory} bytes");
}

/// One client's share of the messages, in one session after the other.
async fn attack(cluster: &Cluster, sent: &AtomicUsize, mut dice: Dice) -> Result<(), String> {
    let connection = Raw::connect(cluster.address()).await;
    let connection = connection.map_err(|error| error.to_string())?;
    while sent.load(Ordering::Relaxed) < MESSAGES {
        let ann = Client::log_in(cluster.address(), "ann", "x").await;
        let token = ann.map_err(|error| error.to_string())?.token();
        let client = connection.bearing(&token.unwrap_or_default());
        let seeds = Seeds::of(&client)
            .await
            .map_err(|error| error.to_string())?;
        let shares = (0..ABREAST).map(|_| {
            let dice = Dice::new(dice.roll(usize::MAX) as u64);
            share(&client, &seeds, dice)
        });
        let shares: Vec<_> = shares.collect();
        future::try_join_all(shares).await?;
        sent.fetch_add(MESSAGES_PER_SESSION, Ordering::Relaxed);
        let closed = client.act("CloseSession", "").await;
        closed.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Messages one after the other; the first answer that must not be is the end.
async fn share(client: &Raw, seeds: &Seeds, mut dice: Dice) -> Result<(), String> {
    for _ in 0..MESSAGES_PER_SESSION / ABREAST {
        let what = Kind::any(&mut dice);
        let answer = within(what.name(), DEADLINE, what.send(client, seeds, &mut dice)).await;
        if let Err(error) = answer {
            let told = format!("{}: {error}", what.name());
            let words = ["panick", "failed unexpectedly", "unwrap()", "src/"];
            if error.code == Code::Internal || words.iter().any(|word| told.contains(word)) {
                return Err(told);
            }
        }
    }
    Ok(())
}

/// Which call a message goes out with.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Info,
    Schema,
    Poll,
    Get,
    Act,
    Parameters,
    Upload,
}

impl Kind {
    fn any(dice: &mut Dice) -> Self {
        match dice.roll(100) {
            0..=24 => Self::Info,
            25..=34 => Self::Schema,
            35..=37 => Self::Poll,
            38..=52 => Self::Get,
            53..=72 => Self::Act,
            // Each upload that is whole writes a file.
            73 => Self::Upload,
            _ => Self::Parameters,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Info => "GetFlightInfo",
            Self::Schema => "GetSchema",
            Self::Poll => "PollFlightInfo",
            Self::Get => "DoGet",
            Self::Act => "DoAction",
            Self::Parameters => "DoPut of parameters",
            Self::Upload => "DoPut of an upload",
        }
    }

    async fn send(self, client: &Raw, seeds: &Seeds, dice: &mut Dice) -> Result<(), ClientError> {
        let command = seeds.command(dice);
        match self {
            Self::Info => take(client, client.info(command).await?).await,
            Self::Schema => client.schema(command).await.map(drop),
            Self::Poll => {
                let polled = client.poll(command).await?;
                take(client, polled.info.unwrap_or_default()).await
            }
            Self::Get => {
                let ticket = Ticket {
                    ticket: command.cmd,
                };
                client.read(ticket).await.map(drop)
            }
            Self::Act => {
                let (kind, body) = &seeds.actions[dice.roll(seeds.actions.len())];
                client.act(kind, damage(body, dice)).await.map(drop)
            }
            Self::Parameters => {
                let streams = &seeds.parameters;
                put(client, &streams[dice.roll(streams.len())], dice).await
            }
            Self::Upload => put(client, &seeds.upload, dice).await,
        }
    }
}

/// Reads what was started, so that nothing is left waiting.
async fn take(client: &Raw, info: FlightInfo) -> Result<(), ClientError> {
    for endpoint in info.endpoint {
        if let Some(ticket) = endpoint.ticket {
            client.read(ticket).await?;
        }
    }
    Ok(())
}

/// Sends a stream in which one message is damaged, in its header, its body or its command.
async fn put(client: &Raw, whole: &[FlightData], dice: &mut Dice) -> Result<(), ClientError> {
    let mut messages = whole.to_vec();
    let at = dice.roll(messages.len());
    let message = &mut messages[at];
    match dice.roll(8) {
        0 if message.flight_descriptor.is_some() => {
            let command = message.flight_descriptor.take().unwrap_or_default();
            let cmd = damage(&command.cmd, dice);
            message.flight_descriptor = Some(FlightDescriptor { cmd, ..command });
        }
        1 => {
            let first = messages[0].clone();
            messages.insert(at, first);
        }
        2 => drop(messages.remove(at)),
        3 | 4 => message.data_body = damage(&message.data_body, dice),
        _ => message.data_header = damage(&message.data_header, dice),
    }
    client.put(messages).await.map(drop)
}

/// Changes, cuts, adds or repeats a few bytes; sometimes a number becomes an extreme one.
fn damage(bytes: &Bytes, dice: &mut Dice) -> Bytes {
    const EXTREMES: [i64; 6] = [-1, 0, i64::MAX, i64::MIN, 1 << 31, 1 << 40];
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(bytes.len() + 1);
        match dice.roll(10) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, dice.byte()),
            2 => bytes.extend_from_within(at..),
            3 | 4 if at + 8 <= bytes.len() => {
                let at = at / 8 * 8;
                let extreme = EXTREMES[dice.roll(EXTREMES.len())];
                bytes[at..at + 8].copy_from_slice(&extreme.to_le_bytes());
            }
            _ if at < bytes.len() => bytes[at] = dice.byte(),
            _ => {}
        }
    }
    bytes.into()
}

/// Real messages of one session.
struct Seeds {
    commands: Vec<Bytes>,
    actions: Vec<(&'static str, Bytes)>,
    parameters: Vec<Vec<FlightData>>,
    upload: Vec<FlightData>,
}

impl Seeds {
    async fn of(client: &Raw) -> Result<Self, ClientError> {
        let mut parameters = Vec::new();
        for (sql, batch) in [
            ("SELECT $1 + 1, $2", flat()),
            ("INSERT INTO s.t VALUES ($1, $2)", flat()),
            ("SELECT $1, $2, $3, $4, $5, $6", nested()),
        ] {
            let handle = prepare(client, sql).await?;
            let command = CommandPreparedStatementQuery {
                prepared_statement_handle: handle,
            };
            parameters.push(messages(descriptor(&command), batch).await);
        }
        let handle = prepare(client, "SELECT 1").await?;
        let query = CommandPreparedStatementQuery {
            prepared_statement_handle: handle.clone(),
        };
        let mut commands = commands();
        commands.push(packed(&query));
        Ok(Self {
            commands,
            actions: actions(handle),
            parameters,
            upload: messages(descriptor(&ingest()), flat()).await,
        })
    }

    fn command(&self, dice: &mut Dice) -> FlightDescriptor {
        let whole = &self.commands[dice.roll(self.commands.len())];
        FlightDescriptor::new_cmd(damage(whole, dice))
    }
}

async fn prepare(client: &Raw, sql: &str) -> Result<Bytes, ClientError> {
    let request = ActionCreatePreparedStatementRequest {
        query: sql.to_owned(),
        transaction_id: None,
    };
    let bodies = client
        .act("CreatePreparedStatement", packed(&request))
        .await?;
    let any = Any::decode(&*bodies.concat()).expect("a packed result");
    let result = any.unpack::<ActionCreatePreparedStatementResult>();
    let result = result.expect("a whole result").expect("of this kind");
    Ok(result.prepared_statement_handle)
}

/// Commands that are tickets as well.
fn commands() -> Vec<Bytes> {
    let query = |sql: &str| {
        packed(&CommandStatementQuery {
            query: sql.to_owned(),
            transaction_id: None,
        })
    };
    vec![
        query("SELECT 1"),
        query("SELECT b, sum(a) FROM s.t GROUP BY b"),
        packed(&CommandStatementUpdate {
            query: "SET query_timeout = '60s'".to_owned(),
            transaction_id: Some(Bytes::from_static(b"none")),
        }),
        packed(&CommandGetDbSchemas {
            catalog: Some("waterbuck".to_owned()),
            db_schema_filter_pattern: Some("%s_".to_owned()),
        }),
        packed(&CommandGetTables {
            catalog: None,
            db_schema_filter_pattern: Some("s".to_owned()),
            table_name_filter_pattern: Some("%t%".to_owned()),
            table_types: vec!["TABLE".to_owned()],
            include_schema: true,
        }),
        packed(&CommandGetSqlInfo {
            info: vec![0, 8, 500, 576],
        }),
        packed(&CommandGetXdbcTypeInfo { data_type: Some(4) }),
        packed(&TicketStatementQuery {
            statement_handle: Bytes::from_static(&[7; 32]),
        }),
    ]
}

fn actions(handle: Bytes) -> Vec<(&'static str, Bytes)> {
    let ticket = TicketStatementQuery {
        statement_handle: Bytes::from_static(&[7; 32]),
    };
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(packed(&ticket)));
    let id = Bytes::from_static(b"0190a3a0-0000-7000-8000-000000000000");
    let info = FlightInfo::new()
        .with_endpoint(endpoint.clone())
        .with_app_metadata(id.clone());
    let encoded = info.encode_to_vec();
    let renewal = RenewFlightEndpointRequest {
        endpoint: Some(endpoint),
    };
    let cancel = CancelFlightInfoRequest { info: Some(info) };
    let older = ActionCancelQueryRequest {
        info: encoded.into(),
    };
    let create = ActionCreatePreparedStatementRequest {
        query: "SELECT $1".to_owned(),
        transaction_id: None,
    };
    let close = ActionClosePreparedStatementRequest {
        prepared_statement_handle: handle,
    };
    // A text option "schema" = "s" in a map of options.
    let option = b"\x0a\x0d\x0a\x06schema\x12\x03\x0a\x01s";
    vec![
        ("CancelFlightInfo", cancel.encode_to_vec().into()),
        ("CancelQuery", packed(&older)),
        ("RenewFlightEndpoint", renewal.encode_to_vec().into()),
        ("CreatePreparedStatement", packed(&create)),
        ("ClosePreparedStatement", packed(&close)),
        ("SetSessionOptions", Bytes::from_static(option)),
        ("GetSessionOptions", Bytes::from_static(option)),
        ("BeginTransaction", Bytes::from_static(option)),
        (
            "waterbuck.heartbeat",
            Bytes::from_static(b"{\"executor_id\":1}"),
        ),
        ("waterbuck.progress", id.clone()),
        ("waterbuck.cancel", id),
    ]
}

fn ingest() -> CommandStatementIngest {
    CommandStatementIngest {
        table_definition_options: Some(TableDefinitionOptions {
            if_not_exist: TableNotExistOption::Fail as i32,
            if_exists: TableExistsOption::Append as i32,
        }),
        table: "t".to_owned(),
        schema: Some("s".to_owned()),
        ..CommandStatementIngest::default()
    }
}

fn flat() -> RecordBatch {
    let numbers = Int64Array::from(vec![Some(1), None, Some(3)]);
    let texts = StringArray::from(vec![None, Some("text"), Some("")]);
    let columns: [(&str, ArrayRef); 2] = [("a", Arc::new(numbers)), ("b", Arc::new(texts))];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Every way in which an array can be laid out that clients send.
fn nested() -> RecordBatch {
    let lists =
        ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1), None]), None]);
    let field = Arc::new(Field::new("n", DataType::Boolean, true));
    let flags = Arc::new(BooleanArray::from(vec![Some(true), None])) as ArrayRef;
    let records = StructArray::from(vec![(field, flags)]);
    let codes: DictionaryArray<Int32Type> = vec![Some("x"), None].into_iter().collect();
    let columns: [(&str, ArrayRef); 6] = [
        ("1", Arc::new(lists)),
        ("2", Arc::new(records)),
        ("3", Arc::new(codes)),
        (
            "4",
            Arc::new(StringViewArray::from(vec![
                "short",
                "longer than twelve letters",
            ])),
        ),
        ("5", Arc::new(Decimal128Array::from(vec![1, -1]))),
        (
            "6",
            Arc::new(TimestampMillisecondArray::from(vec![0, i64::MAX])),
        ),
    ];
    let mut batch = columns.to_vec();
    batch.push(("7", Arc::new(NullArray::new(2))));
    RecordBatch::try_from_iter(batch).expect("columns of one length")
}

/// The messages by which a driver sends rows.
async fn messages(command: FlightDescriptor, batch: RecordBatch) -> Vec<FlightData> {
    let encoder = FlightDataEncoderBuilder::new()
        .with_flight_descriptor(Some(command))
        .with_dictionary_handling(DictionaryHandling::Resend)
        .build(stream::iter([Ok(batch)]));
    encoder.try_collect().await.expect("the rows are right")
}
