//! Bearer tokens, API tokens and failed logins, on real processes.

use std::time::{Duration, Instant};

use tonic::Code;
use waterbuck_tests::{Client, Cluster, Options, Signal};

use crate::tables::run_all;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_outlives_the_coordinator_that_made_it() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let options = Options {
        data_dir: Some(dir.path().to_owned()),
        ..Options::default()
    };
    let mut cluster = Cluster::start(options.clone()).await;
    let token = cluster
        .client()
        .await
        .token()
        .expect("a login gives a token");
    cluster.front().signal(Signal::Kill);
    cluster.front().end(Duration::from_secs(10)).await;
    drop(cluster);
    let cluster = Cluster::start(options).await;
    let client = Client::with_token(cluster.address(), &token).await.unwrap();
    assert_eq!(client.run("SELECT 7").await.unwrap().value(), "7");

    client.action("CloseSession", vec![]).await.unwrap();
    let again = Client::with_token(cluster.address(), &token).await.unwrap();
    let refused = again.run("SELECT 7").await.unwrap_err();
    assert_eq!(refused.code, Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_token_logs_a_program_in_until_it_is_dropped() {
    let cluster = Cluster::server().await;
    let admin = cluster.client().await;
    run_all(&admin, &["CREATE USER ann PASSWORD 'pw-of-ann'"]).await;
    let answer = admin
        .run("CREATE TOKEN etl FOR USER ann EXPIRES '1d'")
        .await
        .unwrap();
    let token = answer.rows()[0][2].clone();
    assert!(token.starts_with("wbt_"), "{token}");

    let program = Client::with_token(cluster.address(), &token).await.unwrap();
    assert_eq!(program.run("SELECT 7").await.unwrap().value(), "7");
    let listed = program.run("SHOW TOKENS").await.unwrap();
    assert_eq!(listed.rows()[0][..2], ["etl", "ann"]);
    assert!(
        Client::log_in(cluster.address(), "ann", &token)
            .await
            .is_ok()
    );
    assert!(
        Client::log_in(cluster.address(), "admin", &token)
            .await
            .is_err()
    );
    let others = program.run("CREATE TOKEN x FOR USER admin").await;
    assert_eq!(others.unwrap_err().code, Code::PermissionDenied);
    // No text that a user can look at holds it.
    let seen = admin
        .run("SELECT count(*) FROM system.queries WHERE sql LIKE ('%w' || 'bt%')")
        .await
        .unwrap();
    assert_eq!(seen.value(), "0");
    assert!(!cluster.logs().contains(&token));

    run_all(&admin, &["DROP TOKEN etl FOR USER ann"]).await;
    let refused = program.run("SELECT 7").await.unwrap_err();
    assert_eq!(refused.code, Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_has_to_wait() {
    let cluster = Cluster::server().await;
    run_all(&cluster.client().await, &["CREATE USER ann PASSWORD 'x'"]).await;
    for n in 0..6 {
        let wrong = Client::log_in(cluster.address(), "ann", &format!("guess {n}")).await;
        assert_eq!(wrong.unwrap_err().code, Code::Unauthenticated);
    }
    let start = Instant::now();
    let right = Client::log_in(cluster.address(), "ann", "x").await;
    assert!(right.is_ok());
    assert!(start.elapsed() >= Duration::from_millis(400));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_for_their_user_and_are_named() {
    let cluster = Cluster::server().await;
    let admin = cluster.client().await;
    let statements = [
        "CREATE USER ann PASSWORD 'x'",
        "ALTER USER ann SET LIMIT max_result_rows = 5",
        "ALTER USER ann SET LIMIT max_connections = 1",
        "ALTER USER ann SET LIMIT max_sql_length = 1KiB",
    ];
    run_all(&admin, &statements).await;
    let ann = Client::log_in(cluster.address(), "ann", "x").await.unwrap();
    let second = Client::log_in(cluster.address(), "ann", "x").await;
    assert_limit(second.map(drop), "max_connections");
    let rows = "SELECT * FROM generate_series(1, 5)";
    assert!(ann.run(rows).await.is_ok());
    let more = ann.run("SELECT * FROM generate_series(1, 6)").await;
    assert_limit(more.map(drop), "max_result_rows");
    let long = format!("SELECT '{}'", "x".repeat(2000));
    assert_limit(ann.run(&long).await.map(drop), "max_sql_length");
    assert!(admin.run(&long).await.is_ok());
    run_all(&admin, &["ALTER USER ann RESET LIMIT max_result_rows"]).await;
    let more = ann.run("SELECT * FROM generate_series(1, 6)").await;
    assert!(more.is_ok(), "in sessions that are open, too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_roles_hold_in_open_sessions_and_are_not_shed() {
    let cluster = Cluster::server().await;
    let admin = cluster.client().await;
    let statements = [
        "CREATE USER ann PASSWORD 'x'",
        "CREATE ROLE few",
        "CREATE ROLE more",
        "ALTER ROLE few SET LIMIT max_result_rows = 5",
        "ALTER ROLE few SET LIMIT max_sql_length = 1KiB",
        "ALTER ROLE more SET LIMIT max_result_rows = 10",
    ];
    run_all(&admin, &statements).await;
    let ann = Client::log_in(cluster.address(), "ann", "x").await.unwrap();
    let rows = async |rows: u32| {
        let sql = format!("SELECT * FROM generate_series(1, {rows})");
        ann.run(&sql).await.map(drop)
    };
    rows(11).await.unwrap();
    run_all(&admin, &["GRANT few TO USER ann"]).await;
    assert_limit(rows(6).await, "\"max_result_rows\" of role \"few\"");
    let long = format!("SELECT '{}'", "x".repeat(2000));
    let refused = ann.run(&long).await.map(drop);
    assert_limit(refused, "\"max_sql_length\" is a limit of role \"few\"");
    ann.run("SET ROLE NONE").await.unwrap();
    assert_limit(rows(6).await, "\"max_result_rows\" of role \"few\"");

    run_all(&admin, &["GRANT more TO USER ann"]).await;
    rows(10).await.unwrap();
    assert_limit(rows(11).await, "\"max_result_rows\" of role \"more\"");
    let own = ["ALTER USER ann SET LIMIT max_result_rows = 7"];
    run_all(&admin, &own).await;
    assert_limit(rows(8).await, "\"max_result_rows\" of user \"ann\"");
    let none_left = [
        "ALTER USER ann RESET LIMIT max_result_rows",
        "DROP ROLE more",
        "REVOKE few FROM USER ann",
    ];
    run_all(&admin, &none_left).await;
    rows(11).await.unwrap();
}

fn assert_limit(result: Result<(), waterbuck_tests::ClientError>, name: &str) {
    let error = result.expect_err("there is a limit");
    assert_eq!(error.code, Code::ResourceExhausted, "{error}");
    assert!(error.message.contains(name), "{error}");
}
