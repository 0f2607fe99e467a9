//! Who comes in: TLS on every port, certificates of clients and of the cluster, and the executor's
//! closed door.

use std::fs;
use std::future::poll_fn;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tonic::Code;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tower::Service;
use waterbuck_tests::{
    Authority, CertificateFiles, Client, ClientError, PASSWORD, Process, until, waterbuck_binary,
};

const DEADLINE: Duration = Duration::from_secs(60);
const TASK_CALL: &str = "/worker.WorkerService/CoordinatorChannel";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_speak_tls_on_both_ports() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = Node::start("server", &ours.sign("server").flags("tls")).await;
    let client = server.client(&ours, None).await;
    assert_eq!(
        answer(&client.expect("the authority is trusted")).await,
        "42"
    );
    let suspicious = server.client(&theirs, None).await;
    assert!(suspicious.is_err(), "the certificate is of another");
    let plain = Client::connect(&server.address).await;
    assert!(plain.is_err(), "plain text is not answered");
    let page = server.process.secure_page("/healthz", &ours).await;
    assert!(page.expect("an answer").starts_with("HTTP/1.1 200"));
    let plain = server.process.page("/healthz").await.unwrap_or_default();
    assert!(!plain.contains("200"), "{plain}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_an_authority_of_clients_they_must_have_a_certificate() {
    let (ours, clients) = (Authority::new(), Authority::new());
    let mut flags = ours.sign("server").flags("tls");
    flags.push(format!("--tls-client-ca={}", clients.file().display()));
    let server = Node::start("server", &flags).await;
    let ann = clients.sign("ann");
    let client = server.client(&ours, Some(&ann)).await;
    assert_eq!(answer(&client.expect("ann has one")).await, "42");
    assert!(server.client(&ours, None).await.is_err());
    let forged = ours.sign("forged");
    assert!(server.client(&ours, Some(&forged)).await.is_err());
    let login = format!("admin:{PASSWORD}@");
    let (code, said) = shell((&server, login.as_str()), &ours, Some(&ann)).await;
    assert!(code == Some(0) && said.contains("42"), "{code:?} {said}");
    let (code, said) = shell((&server, login.as_str()), &ours, None).await;
    assert_eq!(code, Some(3), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_a_login_of_the_user_it_is_mapped_to() {
    let (ours, clients) = (Authority::new(), Authority::new());
    let mut flags = ours.sign("server").flags("tls");
    flags.extend([
        format!("--tls-client-ca={}", clients.file().display()),
        "--tls-client-auth=optional".to_owned(),
    ]);
    let server = Node::start("server", &flags).await;
    let admin = server.client(&ours, None).await.expect("a password does");
    run(&admin, "CREATE USER ann PASSWORD 'x'").await;
    let ann = clients.sign("ann");
    // To be called as a user is called is not enough.
    assert_eq!(
        server.who(&ours, Some(&ann)).await,
        Err(Code::Unauthenticated)
    );
    run(&admin, "ALTER USER ann SET CERTIFICATE 'CN=ann'").await;
    assert_eq!(server.who(&ours, Some(&ann)).await, Ok("ann".to_owned()));
    assert_eq!(server.who(&ours, None).await, Err(Code::Unauthenticated));
    let eve = clients.sign("eve");
    assert_eq!(
        server.who(&ours, Some(&eve)).await,
        Err(Code::Unauthenticated)
    );
    // Of another authority than that of clients it is refused altogether.
    let forged = ours.sign("ann");
    assert!(server.who(&ours, Some(&forged)).await.is_err());
    // A password says more.
    let both = server
        .client(&ours, Some(&ann))
        .await
        .expect("a password does");
    assert_eq!(name(&both).await, Ok("admin".to_owned()));

    let session = server
        .certified(&ours, Some(&ann))
        .await
        .expect("a connection");
    assert_eq!(name(&session).await, Ok("ann".to_owned()));
    let (code, said) = shell((&server, ""), &ours, Some(&ann)).await;
    assert!(code == Some(0) && said.contains("42"), "{code:?} {said}");
    run(&admin, "ALTER USER ann RESET CERTIFICATE").await;
    assert_eq!(name(&session).await, Err(Code::Unauthenticated));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewed_certificates_are_shown_without_a_restart() {
    let (old, new) = (Authority::new(), Authority::new());
    let shown = old.sign("server");
    let server = Node::start("server", &shown.flags("tls")).await;
    let before = server.client(&old, None).await.expect("the old one");
    new.sign("server").replace(&shown);
    until("the new certificate", DEADLINE, || async {
        server.client(&new, None).await.ok().map(drop)
    })
    .await;
    assert!(server.client(&old, None).await.is_err());
    assert_eq!(answer(&before).await, "42");
    fs::write(&shown.certificate, "broken").expect("the file is ours");
    until("a warning of the broken one", DEADLINE, || async {
        let client = server.client(&new, None).await;
        client.expect("the one before stays in use");
        let log = server.process.log();
        log.contains("cannot be used").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_never_finish_a_handshake_keep_nobody_out() {
    let ours = Authority::new();
    let server = Node::start("server", &ours.sign("server").flags("tls")).await;
    let mut silent = Vec::new();
    // More than may be unfinished, and less than the files a process may have open.
    for _ in 0..300 {
        let stream = TcpStream::connect(&server.address).await;
        silent.push(stream.expect("the port is open"));
    }
    let client = server.client(&ours, None).await;
    assert_eq!(answer(&client.expect("it finishes")).await, "42");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_text_to_other_machines_must_be_asked_for() {
    for role in ["server", "coordinator", "executor"] {
        let token = "--cluster-token=test";
        let (mut refused, _dir) = launch(role, &["--host=0.0.0.0".to_owned(), token.to_owned()]);
        assert_eq!(refused.end(DEADLINE).await.code(), Some(1));
        let said = refused.log();
        assert!(said.contains("--insecure-plaintext"), "{role}: {said}");
    }
    let flags = ["--host=0.0.0.0", "--insecure-plaintext"].map(str::to_owned);
    let server = Node::start("server", &flags).await;
    let address = server.address.replace("0.0.0.0", "127.0.0.1");
    let client = Client::connect(&address).await;
    assert_eq!(answer(&client.expect("it was asked for")).await, "42");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_without_the_clusters_token_cannot_join() {
    let coordinator = Node::start("coordinator", &["--cluster-token=right".to_owned()]).await;
    for flags in [vec![], vec!["--cluster-token=wrong".to_owned()]] {
        let executor = Node::start("executor", &joining("grpc", &coordinator, flags)).await;
        until("the refusal", DEADLINE, || async {
            let log = executor.process.log();
            log.contains("token is missing or wrong").then_some(())
        })
        .await;
    }
    let client = Client::connect(&coordinator.address).await.expect("login");
    let known = client.run("SHOW EXECUTORS").await.expect("a list");
    assert_eq!(known.row_count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_of_a_cluster_know_each_other_by_certificates() {
    let ours = Authority::new();
    let trust = format!("--cluster-ca={}", ours.file().display());
    let member = |name: &str| {
        let mut flags = ours.sign(name).flags("cluster");
        flags.push(trust.clone());
        flags
    };
    let coordinator = Node::start("coordinator", &member("coordinator")).await;
    let mut executors = Vec::new();
    for name in ["one", "two"] {
        let flags = joining("grpc+tls", &coordinator, member(name));
        executors.push(Node::start("executor", &flags).await);
    }
    let client = coordinator.client(&ours, None).await.expect("login");
    until("two executors", DEADLINE, || async {
        let known = client.run("SHOW EXECUTORS").await.ok()?;
        (known.row_count() == 2).then_some(())
    })
    .await;
    assert_eq!(spread(&client).await, "1000");
    let flags = joining("grpc+tls", &coordinator, vec![trust.clone()]);
    let stranger = Node::start("executor", &flags).await;
    until("the refusal", DEADLINE, || async {
        let log = stranger.process.log();
        log.contains("shows no certificate").then_some(())
    })
    .await;
    let channel = endpoint("https", &executors[0]).tls_config(ours.client(None));
    let channel = channel.expect("a right configuration").connect().await;
    let status = call(channel.expect("TLS itself is for all"), TASK_CALL).await;
    assert_eq!(status, "16", "not one of the cluster");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_serves_nobody_from_outside() {
    // There is no coordinator: an executor's door does not depend on one.
    let flags = ["--cluster-token=right", "--coordinator=grpc://127.0.0.1:1"].map(str::to_owned);
    let executor = Node::start("executor", &flags).await;
    let channel = endpoint("http", &executor).connect().await;
    let refused = call(channel.expect("the port is open"), TASK_CALL).await;
    assert_eq!(refused, "16", "a task of nobody's");
    let nobody = Client::with_token(&executor.address, "").await;
    let error = nobody.expect("the port is open").run("SELECT 1").await;
    let error = error.expect_err("statements are a coordinator's");
    assert_eq!(error.code, Code::Unimplemented, "{error}");
}

/// One process with a directory of its own.
pub(crate) struct Node {
    pub(crate) process: Process,
    pub(crate) address: String,
    dir: TempDir,
}

impl Node {
    /// Starts a process and waits until it says where it listens.
    pub(crate) async fn start(role: &str, flags: &[String]) -> Self {
        let (process, dir) = launch(role, flags);
        let address = until("the address", DEADLINE, || async {
            let said = process.log();
            let (_, rest) = said.split_once("flight listening on ")?;
            rest.split_once('\n').map(|(address, _)| address.to_owned())
        })
        .await;
        Self {
            process,
            address,
            dir,
        }
    }

    /// Comes without a login as somebody who trusts `authority` and shows `identity`.
    async fn certified(
        &self,
        authority: &Authority,
        identity: Option<&CertificateFiles>,
    ) -> Result<Client, ClientError> {
        Client::with_certificate(&self.address, authority.client(identity)).await
    }

    /// Whose session somebody has who comes without a login.
    async fn who(
        &self,
        authority: &Authority,
        identity: Option<&CertificateFiles>,
    ) -> Result<String, Code> {
        let client = self.certified(authority, identity).await;
        name(&client.map_err(|error| error.code)?).await
    }

    /// Where all of its files are, the log among them.
    pub(crate) fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// Logs in as somebody who trusts `authority` and shows `identity`.
    async fn client(
        &self,
        authority: &Authority,
        identity: Option<&CertificateFiles>,
    ) -> Result<Client, ClientError> {
        Client::connect_tls(&self.address, authority.client(identity)).await
    }
}

fn launch(role: &str, flags: &[String]) -> (Process, TempDir) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let mut command = Command::new(waterbuck_binary());
    command
        .args([role, "--flight-port=0", "--web-port=0", "--data-dir"])
        .arg(dir.path().join("data"))
        .args(flags)
        .env("WATERBUCK_ADMIN_PASSWORD", PASSWORD)
        .current_dir(dir.path());
    let process = Process::start(role, &mut command, dir.path().join("log"));
    (process.expect("the program can be started"), dir)
}

/// The flags of an executor that registers with `coordinator`.
fn joining(scheme: &str, coordinator: &Node, mut flags: Vec<String>) -> Vec<String> {
    flags.push(format!("--coordinator={scheme}://{}", coordinator.address));
    flags
}

async fn run(client: &Client, sql: &str) {
    client.run(sql).await.expect("the statement is right");
}

/// Whose session it is.
async fn name(client: &Client) -> Result<String, Code> {
    let answer = client.run("SELECT current_user").await;
    answer
        .map(|answer| answer.value())
        .map_err(|error| error.code)
}

async fn answer(client: &Client) -> String {
    let answer = client.run("SELECT 41 + 1").await;
    answer.expect("a session runs statements").value()
}

/// The count of rows that went from one executor to the other.
async fn spread(client: &Client) -> String {
    for statement in [
        "SET batch_size = 16",
        "SET task_scan_bytes = 1",
        "SET stage_min_rows = 0",
        "CREATE TABLE t AS SELECT i, i % 10 AS k FROM generate_series(1, 1000) AS s(i)",
    ] {
        client.run(statement).await.expect("the statement is right");
    }
    let sql = "SELECT sum(n) FROM (SELECT k, count(*) AS n FROM t GROUP BY k) AS g";
    client.run(sql).await.expect("the query is right").value()
}

/// The exit code and the output of a shell that asks for 41 + 1.
async fn shell(
    (server, login): (&Node, &str),
    authority: &Authority,
    identity: Option<&CertificateFiles>,
) -> (Option<i32>, String) {
    let url = format!("grpc+tls://{login}{}", server.address);
    let mut command = tokio::process::Command::new(waterbuck_binary());
    command
        .args([
            "sql",
            &url,
            "--format=csv",
            "-e",
            "SELECT 41 + 1",
            "--tls-ca",
        ])
        .arg(authority.file())
        .args(identity.map(|files| files.flags("tls")).unwrap_or_default());
    let done = command.output().await.expect("the program can be started");
    let mut said = String::from_utf8_lossy(&done.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&done.stderr));
    (done.status.code(), said)
}

fn endpoint(scheme: &str, node: &Node) -> Endpoint {
    let url = format!("{scheme}://{}", node.address);
    Endpoint::from_shared(url).expect("an address is a URL")
}

/// The gRPC status of an empty call.
async fn call(mut channel: Channel, path: &str) -> String {
    let request = http::Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::empty())
        .expect("a right request");
    let ready = poll_fn(|context| channel.poll_ready(context)).await;
    ready.expect("the connection is open");
    let answer = channel.call(request).await.expect("an answer");
    let status = answer.headers().get("grpc-status");
    let status = status.expect("a refusal comes at once");
    status.to_str().expect("a number").to_owned()
}
