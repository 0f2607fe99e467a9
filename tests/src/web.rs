//! The web port of a process, as a monitor asks it.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::Authority;
use crate::process::Process;

impl Process {
    /// The whole answer for a page, its status line included; `None` when there is none.
    pub async fn page(&self, path: &str) -> Option<String> {
        let stream = self.web_connection().await?;
        ask(stream, path).await
    }

    /// The same over TLS, where the port has a certificate of `authority`.
    pub async fn secure_page(&self, path: &str, authority: &Authority) -> Option<String> {
        let stream = self.web_connection().await?;
        let name = ServerName::try_from("127.0.0.1").ok()?;
        let stream = authority.connector().connect(name, stream).await.ok()?;
        ask(stream, path).await
    }

    async fn web_connection(&self) -> Option<TcpStream> {
        let said = self.log();
        let (_, rest) = said.split_once("web listening on ")?;
        let (address, _) = rest.split_once('\n')?;
        TcpStream::connect(address).await.ok()
    }
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> Option<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}
