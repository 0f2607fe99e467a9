//! A web server of a test's own, which remembers what it was asked.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a page answers.
#[derive(Debug, Clone)]
pub enum Page {
    /// A text.
    Text(String),
    /// The browser is sent on to a URL.
    MovedTo(String),
    /// A status such as `403 Forbidden`, and a text with it.
    Refused(&'static str, String),
}

/// A running web server on this machine, gone when dropped.
#[derive(Debug)]
pub struct Pages {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Pages {
    /// Serves each page under its path; all others are not there.
    pub async fn serve(pages: Vec<(&'static str, Page)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut serving = JoinSet::new();
        let heard = Arc::clone(&asked);
        serving.spawn(async move {
            let mut answering = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (pages, heard) = (pages.clone(), Arc::clone(&heard));
                answering.spawn(async move {
                    // Who goes away needs no answer.
                    let _gone = answer(stream, &pages, &heard).await;
                });
                while answering.try_join_next().is_some() {}
            }
        });
        Self {
            port,
            asked,
            _serving: serving,
        }
    }

    /// The URL of a path on this server, which is called `host`.
    pub fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.port)
    }

    /// The request lines and headers that have come so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panicked").clone()
    }
}

async fn answer(
    mut stream: TcpStream,
    pages: &[(&'static str, Page)],
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    let mut head = Vec::new();
    while let Some(line) = lines.next_line().await? {
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let request = head.first().cloned().unwrap_or_default();
    heard.lock().expect("nobody panicked").push(head.join("\n"));
    let path = request.split(' ').nth(1).unwrap_or_default();
    let page = pages.iter().find(|(known, _)| *known == path);
    let (status, header, body) = match page.map(|(_, page)| page) {
        Some(Page::Text(text)) => ("200 OK", String::new(), text.as_str()),
        Some(Page::MovedTo(url)) => ("302 Found", format!("Location: {url}\r\n"), ""),
        Some(Page::Refused(status, text)) => (*status, String::new(), text.as_str()),
        None => ("404 Not Found", String::new(), ""),
    };
    let length = body.len();
    let body = if request.starts_with("HEAD ") {
        ""
    } else {
        body
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    write.write_all(answer.as_bytes()).await?;
    write.shutdown().await
}
