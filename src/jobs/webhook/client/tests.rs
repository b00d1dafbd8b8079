//! A client against a small server on this machine.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use workroom_credentials::webhook::signature::WebhookVerifier;

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const FORMER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

/// A request as it came.
#[derive(Clone, Debug)]
struct Received {
    path: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// Answers each path with what is said about it.
struct Server {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    serving: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    async fn start(answer: impl Fn(&str, SocketAddr) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (all, answer) = (Arc::clone(&received), Arc::new(answer));
        let serving = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (all, answer) = (Arc::clone(&all), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut socket = BufReader::new(socket);
                    let Some(request) = read(&mut socket).await else { return };
                    let reply = answer(&request.path, address);
                    all.lock().unwrap().push(request);
                    match reply {
                        Some(head) => {
                            let reply = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                            let _ = socket.write_all(reply.as_bytes()).await;
                        }
                        // Never.
                        None => std::future::pending().await,
                    }
                });
            }
        });
        Self { address, received, serving }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn read(socket: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut line = String::new();
    socket.read_line(&mut line).await.ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        socket.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.ok()?;
    Some(Received { path, headers, body })
}

fn local() -> Destinations {
    Destinations { allow_http: true, allowed_networks: vec!["127.0.0.1".parse().unwrap()] }
}

fn client(destinations: Destinations) -> Client {
    Client::with_timeout(destinations, Duration::from_secs(2)).unwrap()
}

fn message(secrets: &[&str]) -> Message {
    Message {
        id: Uuid::from_u128(7),
        body: Bytes::from_static(b"{\"specversion\":\"1.0\"}"),
        secrets: secrets.iter().map(|secret| SigningSecret::parse(secret).unwrap()).collect(),
    }
}

/// Whether a receiver that knows this secret takes what came.
fn verifies(received: &Received, secret: &str) -> bool {
    let verifier = WebhookVerifier::new(vec![SigningSecret::parse(secret).unwrap()]);
    let header = |name: &str| received.headers.get(name).map(String::as_str);
    verifier
        .verify(header, &received.body, crate::clock::now())
        .is_ok_and(|id| id.as_str() == Uuid::from_u128(7).to_string())
}

#[tokio::test]
async fn a_message_is_posted_with_an_id_and_a_signature_for_each_secret() {
    let server = Server::start(|_, _| Some("204 No Content".to_owned())).await;
    let answer = client(local()).send(&server.url("/hook?a=b"), &message(&[SECRET, FORMER])).await;
    assert_eq!(answer, Ok(Answer { status: 204, retry_after: None }));
    let received = server.received();
    let [received] = received.as_slice() else { panic!("one request") };
    assert_eq!((received.path.as_str(), &received.body[..]), ("/hook?a=b", &b"{\"specversion\":\"1.0\"}"[..]));
    assert_eq!(received.headers["content-type"], MEDIA_TYPE);
    assert!(received.headers["user-agent"].starts_with("workroom/"));
    assert_eq!(received.headers["webhook-signature"].split(' ').count(), 2);
    assert!(verifies(received, SECRET) && verifies(received, FORMER));
    assert!(!verifies(received, "whsec_CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"));
    for unwanted in ["cookie", "referer", "accept-encoding", "authorization"] {
        assert!(!received.headers.contains_key(unwanted), "{unwanted}");
    }
}

#[tokio::test]
async fn an_address_that_may_not_be_reached_gets_no_connection_by_whatever_name() {
    let server = Server::start(|_, _| Some("200 OK".to_owned())).await;
    let port = server.address.port();
    let public_only = Destinations { allow_http: true, allowed_networks: Vec::new() };
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1", "0.0.0.0"] {
        let sent = client(public_only.clone()).send(&format!("http://{host}:{port}/"), &message(&[SECRET])).await;
        assert_eq!(sent, Err(NotSent::NoAddress), "{host}");
    }
    let https_only = Destinations { allow_http: false, ..local() };
    assert_eq!(client(https_only).send(&server.url("/"), &message(&[SECRET])).await, Err(NotSent::NoAddress));
    assert!(server.received().is_empty());
    // By a name that stands for an address that may be reached.
    let named = client(local()).send(&format!("http://localhost:{port}/"), &message(&[SECRET])).await;
    assert_eq!(named.map(|answer| answer.status), Ok(200));
}

#[tokio::test]
async fn a_redirect_is_followed_on_the_same_host_and_signed_anew() {
    let server = Server::start(|path, _| {
        Some(match path {
            "/1" => "307 Temporary Redirect\r\nlocation: /2".to_owned(),
            "/2" => "308 Permanent Redirect\r\nlocation: ./3".to_owned(),
            _ => "200 OK".to_owned(),
        })
    })
    .await;
    let answer = client(local()).send(&server.url("/1"), &message(&[SECRET])).await;
    assert_eq!(answer.map(|answer| answer.status), Ok(200));
    let received = server.received();
    assert_eq!(received.iter().map(|request| request.path.as_str()).collect::<Vec<_>>(), ["/1", "/2", "/3"]);
    assert!(received.iter().all(|request| verifies(request, SECRET)));
}

#[tokio::test]
async fn a_redirect_to_elsewhere_or_without_end_is_not_followed() {
    let other = Server::start(|_, _| Some("200 OK".to_owned())).await;
    let elsewhere = other.address;
    let server = Server::start(move |path, address| {
        let to = match path {
            "/port" => format!("http://{elsewhere}/"),
            "/host" => format!("http://localhost:{}/", address.port()),
            "/scheme" => format!("https://{address}/"),
            "/private" => "http://10.0.0.1/".to_owned(),
            "/metadata" => "http://169.254.169.254/latest/meta-data/".to_owned(),
            "/file" => "file:///etc/passwd".to_owned(),
            "/user" => format!("http://a:b@{address}/"),
            "/loop" => "/loop".to_owned(),
            _ => return Some("307 Temporary Redirect".to_owned()),
        };
        Some(format!("307 Temporary Redirect\r\nlocation: {to}"))
    })
    .await;
    for path in ["/port", "/host", "/scheme", "/private", "/metadata", "/file", "/user", "/loop", "/nowhere"] {
        let sent = client(local()).send(&server.url(path), &message(&[SECRET])).await;
        assert_eq!(sent, Err(NotSent::Redirect), "{path}");
    }
    assert!(other.received().is_empty());
    let in_circles = server.received().iter().filter(|request| request.path == "/loop").count();
    assert_eq!(in_circles, 1 + MAX_REDIRECTS);
}

#[tokio::test]
async fn a_redirect_that_loses_the_message_is_an_answer_and_no_more() {
    let server = Server::start(|_, _| Some("302 Found\r\nlocation: /other".to_owned())).await;
    let answer = client(local()).send(&server.url("/"), &message(&[SECRET])).await;
    assert_eq!(answer, Ok(Answer { status: 302, retry_after: None }));
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn what_goes_wrong_is_told_apart() {
    let server = Server::start(|path, _| match path {
        "/busy" => Some("503 Service Unavailable\r\nretry-after: 30".to_owned()),
        "/nonsense" => Some("what?".to_owned()),
        _ => None,
    })
    .await;
    let sent = async |url: &str| {
        let client = Client::with_timeout(local(), Duration::from_millis(500)).unwrap();
        client.send(url, &message(&[SECRET])).await
    };
    let busy = Answer { status: 503, retry_after: Some(Duration::from_secs(30)) };
    assert_eq!(sent(&server.url("/busy")).await, Ok(busy));
    assert_eq!(sent(&server.url("/nonsense")).await, Err(NotSent::Protocol));
    assert_eq!(sent(&server.url("/silent")).await, Err(NotSent::Timeout));
    assert_eq!(sent("no address").await, Err(NotSent::Address));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(sent(&format!("http://{closed}/")).await, Err(NotSent::Connection));
}

#[test]
fn what_fails_here_is_told_from_what_fails_there() {
    // ENFILE, EMFILE, EADDRNOTAVAIL, ENETDOWN, ENETUNREACH, ENOBUFS
    for code in [23, 24, 99, 100, 101, 105] {
        assert!(is_own(&io::Error::from_raw_os_error(code)), "{code}");
    }
    // ECONNRESET, ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH
    for code in [104, 110, 111, 113] {
        assert!(!is_own(&io::Error::from_raw_os_error(code)), "{code}");
    }
    assert!(!is_own(&io::Error::other("not HTTP")));
}
