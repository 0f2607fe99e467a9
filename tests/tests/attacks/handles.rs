//! Tickets, prepared handles and query ids of others: refused in the same words as invented ones,
//! and unharmed by the attempt.

use std::time::Duration;

use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any,
    CommandPreparedStatementQuery, CommandPreparedStatementUpdate, CommandStatementQuery,
    CommandStatementUpdate,
};
use arrow_flight::{
    CancelFlightInfoRequest, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo,
    RenewFlightEndpointRequest, Ticket,
};
use bytes::Bytes;
use prost::Message;
use tonic::Code;
use waterbuck_tests::{Client, ClientError, Cluster, Options, Raw, descriptor, packed, until};

use crate::tables::run_all;

/// A query that goes on until somebody stops it.
const ENDLESS: &str = "SELECT * FROM generate_series(1, 1000000000000)";
/// A query's id that was never given out.
const INVENTED: &str = "0190a3a0-0000-7000-8000-000000000000";

/// Ann, who has things, and Bob, who wants them.
struct People {
    cluster: Cluster,
    admin: Client,
    ann: Raw,
    bob: Raw,
}

impl People {
    async fn meet() -> Self {
        Self::on(Cluster::server().await).await
    }

    async fn on(cluster: Cluster) -> Self {
        let admin = cluster.client().await;
        run_all(
            &admin,
            &[
                "CREATE USER ann PASSWORD 'pw-of-ann'",
                "CREATE USER bob PASSWORD 'pw-of-bob'",
            ],
        )
        .await;
        let (ann, bob) = (
            session(&cluster, "ann").await,
            session(&cluster, "bob").await,
        );
        Self {
            cluster,
            admin,
            ann,
            bob,
        }
    }

    /// The value that the administrator sees.
    async fn value(&self, sql: &str) -> String {
        let answer = self.admin.run(sql).await;
        answer.expect("the administrator may look").value()
    }
}

/// A new session of a user, to be used without manners.
async fn session(cluster: &Cluster, user: &str) -> Raw {
    let client = Client::log_in(cluster.address(), user, &format!("pw-of-{user}")).await;
    let token = client.expect("they may come in").token();
    let raw = Raw::connect(cluster.address()).await;
    raw.expect("the port is open")
        .bearing(&token.expect("a login gives a token"))
}

async fn start(client: &Raw, sql: &str) -> FlightInfo {
    let command = CommandStatementQuery {
        query: sql.to_owned(),
        transaction_id: None,
    };
    let info = client.info(descriptor(&command)).await;
    info.expect("the query starts")
}

async fn prepare(client: &Raw, sql: &str) -> Bytes {
    let request = ActionCreatePreparedStatementRequest {
        query: sql.to_owned(),
        transaction_id: None,
    };
    let bodies = client
        .act("CreatePreparedStatement", packed(&request))
        .await;
    let bodies = bodies.expect("the statement is right");
    let any = Any::decode(&*bodies[0]).expect("a packed result");
    let result = any.unpack::<ActionCreatePreparedStatementResult>();
    let result = result.expect("a whole result").expect("of this kind");
    result.prepared_statement_handle
}

fn ticket_of(info: &FlightInfo) -> Ticket {
    let endpoint = info.endpoint.first().expect("a result has an endpoint");
    endpoint.ticket.clone().expect("an endpoint has a ticket")
}

/// The same bytes but for one bit of the last: as if guessed, and nearly right.
fn forged(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes.into()
}

fn query_id(info: &FlightInfo) -> String {
    String::from_utf8(info.app_metadata.to_vec()).expect("the id is text")
}

/// Asserts that a foreign thing and an invented one are refused alike; their own names in the words
/// aside.
fn alike<T: std::fmt::Debug, U: std::fmt::Debug>(
    what: &str,
    foreign: (Result<T, ClientError>, &str),
    invented: (Result<U, ClientError>, &str),
) {
    let foreign = refusal(what, foreign);
    let invented = refusal(what, invented);
    assert_eq!(foreign, invented, "{what}");
    let code = foreign.code;
    let fits = [
        Code::NotFound,
        Code::Unauthenticated,
        Code::PermissionDenied,
    ];
    assert!(fits.contains(&code), "{what}: {foreign}");
}

fn refusal<T: std::fmt::Debug>(
    what: &str,
    (outcome, name): (Result<T, ClientError>, &str),
) -> ClientError {
    assert!(outcome.is_err(), "{what}: {outcome:?}");
    let mut error = outcome.expect_err("it was refused");
    if !name.is_empty() {
        error.message = error.message.replace(name, "NAME");
    }
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_users_ticket_is_as_unknown_as_a_forged_one() {
    let people = People::meet().await;
    let (ann, bob) = (&people.ann, &people.bob);
    let ticket = ticket_of(&start(ann, "SELECT 41 + 1 AS answer").await);
    let fake = Ticket {
        ticket: forged(&ticket.ticket),
    };
    let read = (bob.read(ticket.clone()).await, "");
    alike("DoGet", read, (bob.read(fake.clone()).await, ""));
    let by = |ticket: &Ticket| FlightDescriptor::new_cmd(ticket.ticket.clone());
    let (own, other) = (by(&ticket), by(&fake));
    let asked = (bob.info(own.clone()).await, "");
    alike("GetFlightInfo", asked, (bob.info(other.clone()).await, ""));
    let asked = (bob.schema(own.clone()).await, "");
    alike("GetSchema", asked, (bob.schema(other.clone()).await, ""));
    let asked = (bob.poll(own).await, "");
    alike("PollFlightInfo", asked, (bob.poll(other).await, ""));
    let renewal = |ticket: &Ticket| {
        let endpoint = FlightEndpoint::new().with_ticket(ticket.clone());
        let request = RenewFlightEndpointRequest {
            endpoint: Some(endpoint),
        };
        request.encode_to_vec()
    };
    let kind = "RenewFlightEndpoint";
    let asked = (bob.act(kind, renewal(&ticket)).await, "");
    alike(kind, asked, (bob.act(kind, renewal(&fake)).await, ""));
    assert!(ann.read(fake).await.is_err(), "nor is it Ann's");
    // All of that did it no harm.
    let messages = ann.read(ticket).await.expect("it is hers");
    assert!(messages.len() >= 2, "columns and rows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_ticket_runs_nothing_again() {
    let people = People::meet().await;
    run_all(&people.admin, &["CREATE TABLE t (x INT)"]).await;
    run_all(&people.admin, &["GRANT INSERT, SELECT ON t TO USER ann"]).await;
    for sql in ["INSERT INTO t VALUES (1)", "SELECT count(*) FROM t"] {
        let ticket = ticket_of(&start(&people.ann, sql).await);
        let first = people.ann.read(ticket.clone()).await;
        assert!(first.is_ok(), "{sql}: {first:?}");
        for _ in 0..3 {
            // Whether it is refused or read again, no query comes of it.
            let _replayed = people.ann.read(ticket.clone()).await;
        }
        let runs = format!("SELECT count(*) FROM system.queries WHERE sql = '{sql}'");
        assert_eq!(people.value(&runs).await, "1", "{sql}");
    }
    assert_eq!(people.value("SELECT count(*) FROM t").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_users_prepared_statement_is_as_unknown_as_an_invented_one() {
    let people = People::meet().await;
    run_all(&people.admin, &["CREATE TABLE t (x INT)"]).await;
    run_all(&people.admin, &["GRANT INSERT ON t TO USER ann"]).await;
    let handle = prepare(&people.ann, "INSERT INTO t VALUES (7)").await;
    let fake = forged(&handle);
    // A handle belongs to a session: Ann's other one is a stranger too.
    for stranger in [people.bob.clone(), session(&people.cluster, "ann").await] {
        let query = |handle: &Bytes| {
            descriptor(&CommandPreparedStatementQuery {
                prepared_statement_handle: handle.clone(),
            })
        };
        let update = |handle: &Bytes| {
            descriptor(&CommandPreparedStatementUpdate {
                prepared_statement_handle: handle.clone(),
            })
        };
        let put = |descriptor: FlightDescriptor| {
            stranger.put(vec![FlightData::new().with_descriptor(descriptor)])
        };
        let asked = (stranger.info(query(&handle)).await, "");
        alike("info", asked, (stranger.info(query(&fake)).await, ""));
        let asked = (stranger.schema(query(&handle)).await, "");
        alike("schema", asked, (stranger.schema(query(&fake)).await, ""));
        let asked = (stranger.poll(query(&handle)).await, "");
        alike("poll", asked, (stranger.poll(query(&fake)).await, ""));
        let asked = (put(query(&handle)).await, "");
        alike("bind", asked, (put(query(&fake)).await, ""));
        let asked = (put(update(&handle)).await, "");
        alike("update", asked, (put(update(&fake)).await, ""));
        let close = ActionClosePreparedStatementRequest {
            prepared_statement_handle: handle.clone(),
        };
        // Closing what is not there does no harm, to anybody.
        let closed = stranger.act("ClosePreparedStatement", packed(&close)).await;
        closed.expect("closing is always answered alike");
    }
    assert_eq!(people.value("SELECT count(*) FROM t").await, "0");
    let update = CommandPreparedStatementUpdate {
        prepared_statement_handle: handle,
    };
    let message = FlightData::new().with_descriptor(descriptor(&update));
    let written = people.ann.put(vec![message]).await;
    assert!(written.is_ok(), "it is still Ann's: {written:?}");
    assert_eq!(people.value("SELECT count(*) FROM t").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_users_query_cannot_be_stopped_or_watched() {
    let people = People::meet().await;
    let (ann, bob) = (&people.ann, &people.bob);
    let info = start(ann, ENDLESS).await;
    let id = query_id(&info);
    let mut fake = info.clone();
    fake.app_metadata = Bytes::from_static(INVENTED.as_bytes());
    for endpoint in &mut fake.endpoint {
        let ticket = endpoint.ticket.take().expect("an endpoint has a ticket");
        endpoint.ticket = Some(Ticket {
            ticket: forged(&ticket.ticket),
        });
    }
    let cancel = |info: &FlightInfo| {
        let request = CancelFlightInfoRequest {
            info: Some(info.clone()),
        };
        request.encode_to_vec()
    };
    let older = |info: &FlightInfo| {
        packed(&ActionCancelQueryRequest {
            info: info.encode_to_vec().into(),
        })
    };
    let kind = "CancelFlightInfo";
    let asked = (bob.act(kind, cancel(&info)).await, id.as_str());
    alike(kind, asked, (bob.act(kind, cancel(&fake)).await, INVENTED));
    let kind = "CancelQuery";
    let asked = (bob.act(kind, older(&info)).await, id.as_str());
    alike(kind, asked, (bob.act(kind, older(&fake)).await, INVENTED));
    // The ticket alone tells no more than the id.
    let (mut nameless, mut faceless) = (info.clone(), fake.clone());
    nameless.app_metadata.clear();
    faceless.app_metadata.clear();
    let kind = "CancelFlightInfo";
    let asked = (bob.act(kind, cancel(&nameless)).await, "");
    alike(kind, asked, (bob.act(kind, cancel(&faceless)).await, ""));
    let kind = "waterbuck.progress";
    let asked = (bob.act(kind, id.clone()).await, id.as_str());
    alike(kind, asked, (bob.act(kind, INVENTED).await, INVENTED));
    let cancelled = bob.act("waterbuck.cancel", id.clone()).await;
    let unknown = bob.act("waterbuck.cancel", INVENTED).await;
    assert_eq!(cancelled, unknown);
    let kill = |id: &str| {
        let command = CommandStatementUpdate {
            query: format!("KILL QUERY '{id}'"),
            transaction_id: None,
        };
        bob.put(vec![
            FlightData::new().with_descriptor(descriptor(&command)),
        ])
    };
    let asked = (kill(&id).await, id.as_str());
    alike("KILL QUERY", asked, (kill(INVENTED).await, INVENTED));
    // It runs on, and its rows come, until the one whose it is stops it.
    let mut rows = ann.get(ticket_of(&info)).await.expect("it is hers");
    for _ in 0..3 {
        let message = rows.message().await.expect("nobody has stopped it");
        assert!(message.is_some(), "it has no end");
    }
    let stopped = ann.act("CancelFlightInfo", cancel(&info)).await;
    assert!(stopped.is_ok(), "{stopped:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_closed_session_held_is_gone_with_it() {
    let people = People::meet().await;
    let ann = session(&people.cluster, "ann").await;
    let ticket = ticket_of(&start(&ann, ENDLESS).await);
    let handle = prepare(&ann, "SELECT 1").await;
    ann.act("CloseSession", "").await.expect("it is hers");
    let command = CommandPreparedStatementQuery {
        prepared_statement_handle: handle,
    };
    for outcome in [
        ann.read(ticket.clone()).await.map(drop),
        ann.info(descriptor(&command)).await.map(drop),
        ann.act("GetSessionOptions", "").await.map(drop),
    ] {
        let error = outcome.expect_err("the session is over");
        assert_eq!(error.code, Code::Unauthenticated, "{error}");
    }
    let other = people.ann.read(ticket).await;
    assert!(other.is_err(), "the query was stopped: {other:?}");
    let running = "SELECT count(*) FROM system.queries WHERE user_name = 'ann' \
                   AND state IN ('running', 'planning', 'queued')";
    until(
        "the end of what it ran",
        Duration::from_secs(20),
        || async { (people.value(running).await == "0").then_some(()) },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_nobody_redeems_expires_with_its_query() {
    let options = Options {
        flags: vec!["--result-timeout=3s".to_owned()],
        ..Options::default()
    };
    let people = People::on(Cluster::start(options).await).await;
    let ann = &people.ann;
    let ticket = ticket_of(&start(ann, ENDLESS).await);
    let fake = Ticket {
        ticket: forged(&ticket.ticket),
    };
    let running = "SELECT count(*) FROM system.queries WHERE user_name = 'ann' \
                   AND state IN ('running', 'planning', 'queued')";
    until("the end of what ran", Duration::from_secs(20), || async {
        (people.value(running).await == "0").then_some(())
    })
    .await;
    let late = (ann.read(ticket).await, "");
    alike("DoGet", late, (ann.read(fake).await, ""));
}
